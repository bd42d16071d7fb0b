"""Names the GPU's driver, on which it depends whether its OpenGL can be trusted."""

from __future__ import annotations

from pathlib import Path

NVIDIA = Path("/proc/driver/nvidia/version")
NODES = Path("/sys/class/drm")
MESA = ("libEGL_mesa.so.0", "libgallium-*.so")


def gpu_driver() -> str:
    """Returns one line that changes with the driver; `none` where there is no GPU.

    For NVIDIA it is the driver's own version line; otherwise the devices that render, the kernel's
    driver of each, and Mesa's files, whose names or sizes change with its version. Nothing is
    loaded or started for it.
    """
    if NVIDIA.exists():
        return " ".join(NVIDIA.read_text().split())
    devices = [_device(node) for node in sorted(NODES.glob("renderD*"))]
    if not devices:
        return "none"
    folders = [Path("/usr/lib64"), Path("/usr/lib"), *sorted(Path("/usr/lib").glob("*-linux-gnu"))]
    files = sorted(
        {file.resolve() for folder in folders for name in MESA for file in folder.glob(name)}
    )
    return " ".join([*devices, *(f"{file.name} ({file.stat().st_size} bytes)" for file in files)])


def _device(node: Path) -> str:
    device = node / "device"
    numbers = [
        (device / name).read_text().strip() if (device / name).exists() else "?"
        for name in ("vendor", "device")
    ]
    return f"{(device / 'driver').resolve().name} {':'.join(numbers)}"
