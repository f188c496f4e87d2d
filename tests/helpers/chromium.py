"""A headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0
"""Seconds after which something that should happen has not."""


def executable() -> str | None:
    """The browser that is installed."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Tab:
    """A page of the browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, itertools.count(1)
        self.events: list[dict[str, Any]] = []

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A method of the DevTools protocol."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(PATIENCE))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def value(self, script: str) -> Any:
        """What a script evaluates to, promises awaited, as if a person had done it."""
        found = self.do(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until a script evaluates to something true."""
        end = time.monotonic() + PATIENCE
        while not (value := self.value(script)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)
        return value

    def press(self, key: str) -> None:
        """Press a key."""
        text = "\r" if key == "Enter" else ""
        kinds = {"keyDown" if text else "rawKeyDown": text, "keyUp": ""}
        codes = {"Enter": 13, "Tab": 9, "ArrowRight": 39, "End": 35, "Home": 36, "Escape": 27}
        for kind, typed in kinds.items():
            self.do(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                text=typed,
                windowsVirtualKeyCode=codes[key],
            )

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in an input."""
        root = self.do("DOM.getDocument")["root"]["nodeId"]
        node = self.do("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.do("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])


@contextmanager
def browsing(url: str, profile: Path, microphone: Path) -> Iterator[Tab]:
    """A tab that shows a page.

    Args:
        url: of the page.
        profile: a new directory for the browser's files.
        microphone: a recording that the microphone plays once.
    """
    program = executable()
    assert program is not None
    command = [
        program,
        "--headless=new",
        "--no-sandbox",  # which root cannot use
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--no-first-run",
        "--autoplay-policy=no-user-gesture-required",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}%noloop",
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        "about:blank",
    ]
    with (profile.parent / "chromium.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        port = _port(process, profile)
        with _tab(port) as socket:
            tab = Tab(socket)
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.do(f"{domain}.enable")
            tab.do("Page.navigate", url=url)
            tab.until("document.readyState === 'complete' && location.href !== 'about:blank'")
            yield tab
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], profile: Path) -> int:
    file = profile / "DevToolsActivePort"
    end = time.monotonic() + PATIENCE
    while not (file.exists() and file.read_text().strip()):
        assert process.poll() is None, f"Chromium ended with {process.returncode}"
        assert time.monotonic() < end, "Chromium does not start"
        time.sleep(0.05)
    return int(file.read_text().splitlines()[0])


def _tab(port: int) -> Any:
    import httpx

    with httpx.Client(verify=False) as client:
        tabs = client.get(f"http://127.0.0.1:{port}/json/list").json()
    page = next(one for one in tabs if one["type"] == "page")
    return connect(page["webSocketDebuggerUrl"], max_size=None)
