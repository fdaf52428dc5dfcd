"""A headless Chromium for tests, driven through the Chrome DevTools Protocol over two pipes: nothing to install beside it.

Debian's package is `chromium`, which .ci/run installs. `FLOWSPEC_CHROMIUM` names another program.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time

PATIENCE = 60.0
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
# Chromium reads commands from descriptor 3 and answers on 4, each message ended by a NUL (content::DevToolsPipeHandler).
_LAUNCH = "import os, sys; os.dup2(int(sys.argv[1]), 100); os.dup2(int(sys.argv[2]), 101); os.dup2(100, 3); os.dup2(101, 4); os.execvp(sys.argv[3], sys.argv[3:])"
_KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), " ": (32, " ")}


def program():
    """The path of the browser, None without one."""
    return os.environ.get("FLOWSPEC_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """A running browser."""

    def __init__(self, profile):
        commands, self._to = os.pipe()
        self._from, answers = os.pipe()
        # Without a sandbox: it needs privileges that containers and root do not have, and the pages are our own.
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        options += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        launch = [sys.executable, "-c", _LAUNCH, str(commands), str(answers), program(), *options]
        self._process = subprocess.Popen(
            launch,
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)
        self._buffer, self._number = b"", 0
        self.events = []

    def call(self, method, session=None, **params):
        """Sends a command and waits for its answer; events that come before it are kept."""
        self._number += 1
        message = {
            "id": self._number,
            "method": method,
            "params": params,
            **({"sessionId": session} if session else {}),
        }
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def receive(self):
        """The next message; an event is kept in `events`, too."""
        deadline = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            piece = os.read(self._from, 1 << 20)
            assert piece, "the browser has ended"
            self._buffer += piece
        message, _, self._buffer = self._buffer.partition(b"\0")
        told = json.loads(message)
        if "method" in told:
            self.events.append(told)
        return told

    def close(self):
        os.close(self._to)
        os.close(self._from)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def open(self, url, *, width=1200, height=900, dark=False, script=True):
        """A page in a tab of its own, when it is loaded."""
        return Page(self, url, width, height, dark, script)


class Page:
    """A page in a tab."""

    def __init__(self, browser, url, width, height, dark, script):
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._target = target
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.media("screen", dark=dark)
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Page.navigate", url=url)
        self.until_event("Page.loadEventFired")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._browser.call("Target.closeTarget", targetId=self._target)

    def call(self, method, **params):
        return self._browser.call(method, self._session, **params)

    def media(self, kind, *, dark=False):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=kind, features=[scheme])

    def events(self, method):
        return [
            one["params"]
            for one in self._browser.events
            if one.get("sessionId") == self._session and one["method"] == method
        ]

    def until_event(self, method):
        while not self.events(method):
            self._browser.receive()

    def eval(self, expression):
        """The value of an expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression):
        """Waits until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.eval(expression):
            assert time.monotonic() < deadline, expression
            time.sleep(0.05)

    def click(self, selector):
        """Clicks with the mouse on the middle of an element, which must be there to be hit."""
        query = json.dumps(selector)
        box = self.eval(
            f"(() => {{ const one = document.querySelector({query}); one.scrollIntoView({{block: 'center'}});"
            "const box = one.getClientRects()[0]; const at = {x: box.x + box.width / 2, y: box.y + box.height / 2};"
            "const hit = document.elementFromPoint(at.x, at.y); return one.contains(hit) ? at : null; })()"
        )
        assert box, f"{selector} can't be clicked"
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **box)

    def press(self, key):
        code, text = _KEYS[key]
        for kind in ("keyDown", "keyUp"):
            typed = {"text": text} if text and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **typed)

    def complaints(self):
        """What the browser's console says, violations of the policy included, and exceptions."""
        self.eval("0")
        logged = [one["entry"]["text"] for one in self.events("Log.entryAdded")]
        said = [str(one["args"]) for one in self.events("Runtime.consoleAPICalled")]
        return [*logged, *said, *(one["exceptionDetails"]["text"] for one in self.events("Runtime.exceptionThrown"))]

    def requested(self):
        """The URLs that were asked for."""
        return [one["request"]["url"] for one in self.events("Network.requestWillBeSent")]

    def pdf(self):
        return base64.b64decode(self.call("Page.printToPDF")["data"])
