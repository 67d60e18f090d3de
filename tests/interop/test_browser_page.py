"""A page in Chromium: served by our server, talking to it, and kept out where it should be."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.interop.messages import EXCHANGE, EXPECTED, SIZES, TEXTS
from tests.websocket.serving import Inbox, Serving

from cooee import Request, Response

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
]

PAGE = """<!doctype html>
<meta charset="utf-8">
<script>
%s
const url = %s.replace("{host}", location.host);
exchange(new WebSocket(url), %s, %s)
  .catch((error) => String(error))
  .then((results) => fetch("/results", {method: "POST", body: JSON.stringify(results)}));
</script>
"""


class Page:
    """
    An HTTP handler that serves a page and takes its results.

    Args:
        url: Of the WebSocket; ``{host}`` is where the page comes from.
    """

    def __init__(self, url: str) -> None:
        arguments = (json.dumps(url), json.dumps(TEXTS), json.dumps(SIZES))
        self.page = PAGE % (EXCHANGE, *arguments)
        self.results: Inbox[Any] = Inbox()

    def __call__(self, request: Request) -> Response:
        if request.path == "/":
            return Response(200, self.page, {"Content-Type": "text/html"})
        if request.path == "/results" and request.method == "POST":
            self.results.put(json.loads(request.body))
            return Response(204)
        return Response(404)


@contextmanager
def browsing(chromium: str, url: str, folder: Path) -> Iterator[None]:
    """Have a page open."""
    process = subprocess.Popen(
        [chromium, *OPTIONS, f"--user-data-dir={folder}", "--remote-debugging-port=0", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def visit(chromium: str, page: Page, serving: Serving, folder: Path) -> Any:
    """What the page found."""
    with browsing(chromium, f"http://127.0.0.1:{serving.server.port}/", folder):
        return page.results.get(timeout=60)


def test_a_page(chromium: str, echo_server: Callable[..., Serving], tmp_path: Path) -> None:
    page = Page("ws://{host}/ws")
    serving = echo_server(http=page)
    assert visit(chromium, page, serving, tmp_path) == EXPECTED


def test_a_page_from_elsewhere_is_kept_out(
    chromium: str, echo_server: Callable[..., Serving], tmp_path: Path
) -> None:
    """By default a server takes pages of its own origin only; the page is not told why."""
    other = echo_server()
    page = Page(f"ws://127.0.0.1:{other.server.port}/ws")
    serving = echo_server(http=page)
    results = visit(chromium, page, serving, tmp_path)
    assert results["code"] == 1006
    assert results["texts"] == []
    assert other.sessions.empty()


def test_a_page_from_a_permitted_origin(
    chromium: str, echo_server: Callable[..., Serving], tmp_path: Path
) -> None:
    other = echo_server(origins="*")
    page = Page(f"ws://127.0.0.1:{other.server.port}/ws")
    serving = echo_server(http=page)
    assert visit(chromium, page, serving, tmp_path) == EXPECTED
