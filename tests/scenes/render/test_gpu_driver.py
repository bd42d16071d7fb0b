"""The line that names a GPU's driver: another one for another version."""

from pathlib import Path

import pytest
from scenes.render import gpu_driver as module
from scenes.render.gpu_driver import gpu_driver


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a folder in which the files of a driver are looked for."""
    monkeypatch.setattr(module, "NVIDIA", tmp_path / "version")
    monkeypatch.setattr(module, "NODES", tmp_path / "drm")
    return tmp_path


def test_without_a_gpu_there_is_none(system: Path) -> None:
    assert gpu_driver() == "none"


def test_nvidias_own_word_is_taken(system: Path) -> None:
    (system / "version").write_text("NVRM version: NVIDIA UNIX  580.1\nGCC version: 12\n")
    assert gpu_driver() == "NVRM version: NVIDIA UNIX 580.1 GCC version: 12"


def test_other_devices_are_named_with_the_kernels_driver(system: Path) -> None:
    device = system / "drm" / "renderD128" / "device"
    device.mkdir(parents=True)
    (device / "vendor").write_text("0x8086\n")
    (device / "device").write_text("0x46a6\n")
    (system / "i915").mkdir()
    (device / "driver").symlink_to(system / "i915")
    assert gpu_driver().startswith("i915 0x8086:0x46a6")
    (device / "device").unlink()
    assert gpu_driver().startswith("i915 0x8086:?")
