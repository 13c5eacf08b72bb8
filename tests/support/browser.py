"""A page in a headless browser, driven through its pipe, without a library."""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "google-chrome"))), None
)
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *("--remote-debugging-pipe", "--window-size=1280,860"),
)


class Page:
    """What the DevTools protocol says of one page.

    Attributes:
        complaints: of the console, exceptions and the log.
        requests: addresses that were asked for.
    """

    def __init__(self, reading, writing):
        self._reading, self._writing = reading, writing
        self._number, self._rest, self._session = 0, b"", None
        self.complaints, self.requests = [], []

    def attach(self):
        target = self.call("Target.createTarget", url="about:blank")
        self._session = self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.evaluate(
            "new Promise(done => document.readyState === 'complete' ? done()"
            " : window.addEventListener('load', done))"
        )
        self.settle()

    def evaluate(self, expression):
        result = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def settle(self):
        """Waits until what was asked for is drawn."""
        self.evaluate(
            "new Promise(done => requestAnimationFrame("
            "() => requestAnimationFrame(done)))"
        )

    def mouse(self, kind, x, y, **options):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **options)
        self.settle()

    def click(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def screenshot(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def _next(self):
        while b"\0" not in self._rest:
            more = os.read(self._reading, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self._rest += more
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event):
        method, about = event.get("method"), event.get("params")
        if method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        if method in (
            *("Runtime.exceptionThrown", "Log.entryAdded"),
            "Runtime.consoleAPICalled",
        ):
            self.complaints.append(about)


@contextlib.contextmanager
def new_page(folder):
    """A page of a browser of its own, whose profile lies in a folder."""
    to_browser, writing = os.pipe()
    reading, from_browser = os.pipe()
    # The browser reads from file 3 and writes to file 4. Files beyond 9 have
    # no digit that a plain shell takes, so Python's numbers go by /dev/fd.
    redirect = f'exec "$@" 3</dev/fd/{to_browser} 4>/dev/fd/{from_browser}'
    process = subprocess.Popen(
        [
            *("/bin/sh", "-c", redirect, "sh", CHROMIUM, *_FLAGS),
            f"--user-data-dir={folder}",
        ],
        pass_fds=(to_browser, from_browser),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(to_browser)
    os.close(from_browser)
    try:
        page = Page(reading, writing)
        page.attach()
        yield page
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(reading)
        os.close(writing)
