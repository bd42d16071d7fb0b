"""The check on the newest Python is passed over only where there is none."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_smoke_says_that_it_is_skipped_where_there_is_no_such_python(tmp_path: Path) -> None:
    for tool in ("bash", "dirname", "uv"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    nowhere = dict.fromkeys(("HOME", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"), str(tmp_path))
    done = subprocess.run(
        [shutil.which("bash"), ROOT / "tools" / "smoke"],
        env={"PATH": str(tmp_path), **nowhere},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("smoke: skipped, as there is no Python 3.13 here")
