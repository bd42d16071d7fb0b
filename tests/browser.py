"""Headless Chromium, driven as a person would: by its own DevTools protocol, over a pipe."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",  # WebGL in software
    "--remote-debugging-pipe",
)
TIMEOUT_S = 120


def chromium_or_skip() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.skip("no Chromium is installed; apt-get install chromium")


class Tab:
    """A page that is open: what it shows, and a mouse, a finger and a keyboard."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._unread, self._number = b"", 0
        self._session: str | None = None
        self.errors: list[str] = []
        (target, *_) = [
            each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page"
        ]
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """Sends a command of the protocol; returns its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            read = os.read(self._answers, 1 << 20)
            assert read, "Chromium has ended"
            self._unread += read
        message, _, self._unread = self._unread.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        if answer.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(answer["params"]["exceptionDetails"])[:2000])
        if answer.get("method") == "Log.entryAdded":
            entry = answer["params"]["entry"]
            self.errors += [entry["text"]] if entry["level"] == "error" else []
        return answer

    def open(self, address: str) -> None:
        """Opens an address and waits until its scripts have run."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=address)
        self.js(
            "new Promise((done) => document.readyState === 'complete' ? done() :"
            " addEventListener('load', done))"
        )

    def js(self, expression: str) -> Any:
        """Returns what an expression comes to, awaited."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def size(self, width: int, height: int, *, mobile: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def place(self, selector: str, x: float = 0.5, y: float = 0.5) -> tuple[float, float]:
        """Returns where a part of an element is, after scrolling to it."""
        left, top, width, height = self.js(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({ block: 'center', behavior: 'instant' });"
            "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
        )
        return left + x * width, top + y * height

    def mouse(self, kind: str, x: float, y: float) -> None:
        held = {"mousePressed": 1, "mouseReleased": 0}.get(kind, self._held)
        self._held = held
        self.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            button="left" if kind != "mouseMoved" or held else "none",
            buttons=held,
            clickCount=1,
        )

    _held = 0

    def click(self, selector: str, x: float = 0.5, y: float = 0.5) -> None:
        place = self.place(selector, x, y)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.mouse(kind, *place)
        self.frame()

    def drag(
        self, selector: str, start: tuple[float, float], end: tuple[float, float], steps: int = 5
    ) -> None:
        """Drags from one part of an element to another."""
        x, y = self.place(selector, *start)
        to_x, to_y = self.place(selector, *end)
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y)
        for step in range(1, steps + 1):
            share = step / steps
            self.mouse("mouseMoved", x + share * (to_x - x), y + share * (to_y - y))
            self.frame()
        self.mouse("mouseReleased", to_x, to_y)
        self.frame()

    def finger(self, selector: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drags with a finger."""
        began, ended = self.place(selector, *start), self.place(selector, *end)
        touches = {"touchStart": [began], "touchMove": [ended], "touchEnd": []}
        for kind, places in touches.items():
            points = [{"x": x, "y": y} for x, y in places]
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
            self.frame()

    def key(
        self, key: str, modifiers: int = 0, kinds: tuple[str, ...] = ("keyDown", "keyUp")
    ) -> None:
        """Presses a key; modifiers are 1 for Alt, 2 for Ctrl, 8 for Shift."""
        for kind in kinds:
            self.call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=modifiers)
        self.frame()

    def frame(self) -> None:
        """Waits until what was asked for is drawn."""
        self.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))


@contextmanager
def a_tab(profile: Path) -> Iterator[Tab]:
    """Starts Chromium with an empty page."""
    read_commands, commands = os.pipe()
    answers, write_answers = os.pipe()
    # The protocol's pipes are descriptors 3 and 4.
    script = f'exec "$0" "$@" 3<&{read_commands} 4>&{write_answers}'
    command = ["bash", "-c", script, chromium_or_skip(), *FLAGS]
    process = subprocess.Popen(
        [*command, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(read_commands, write_answers),
        stderr=subprocess.DEVNULL,
    )
    os.close(read_commands)
    os.close(write_answers)
    try:
        yield Tab(commands, answers)
    finally:
        os.close(commands)
        os.close(answers)
        process.terminate()
        process.wait(TIMEOUT_S)
