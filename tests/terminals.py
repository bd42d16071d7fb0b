"""Commands on a terminal, as the tests of several packages run them."""

import os
import pty
import re
import subprocess
from pathlib import Path


def on_a_terminal(command: list[str], folder: Path) -> str:
    """Runs a command on a terminal of the usual width; returns what it wrote."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += (read := os.read(ours, 4096))
        except OSError:  # Linux's end of file
            break
        if not read:
            break
    os.close(ours)
    assert process.wait() == 0, shown
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
