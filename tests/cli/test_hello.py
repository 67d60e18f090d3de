"""``cooee hello``: one round trip, or a reason why not."""

import pytest
from tests.cli.processes import COOEE, run
from tests.cli.servers import echo, serving, swallow


def test_shows_what_comes_back() -> None:
    with serving(echo) as url:
        done = run(*COOEE, "hello", url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "##### HelloWorld\n", "")


def test_fails_when_something_else_comes_back() -> None:
    with serving(lambda peer: peer.send(b"\x1b[0m")) as url:
        done = run(*COOEE, "hello", url)
    assert done.returncode == 1
    assert done.stdout == "##### <4 bytes: 1b 5b 30 6d |.[0m|>\n"
    assert done.stderr == f"cooee: {url}: HelloWorld came back as <4 bytes: 1b 5b 30 6d |.[0m|>\n"


def test_fails_when_the_server_hangs_up() -> None:
    with serving(lambda peer: peer.close(4001, "no\x07")) as url:
        done = run(*COOEE, "hello", url)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "4001" in done.stderr
    assert "\x07" not in done.stderr


def test_fails_when_nothing_comes_back() -> None:
    with serving(swallow) as url:
        done = run(*COOEE, "hello", url, "--timeout", "0.1")
    assert done.returncode == 1
    assert done.stderr == f"cooee: {url}: no echo within 0.1 s\n"


def test_fails_when_nobody_listens() -> None:
    # Port 1 is for root to serve, and nobody does.
    done = run(*COOEE, "hello", "ws://127.0.0.1:1/ws")
    assert done.returncode == 1
    assert "ws://127.0.0.1:1/ws" in done.stderr
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.once
@pytest.mark.parametrize("url", ["", "nonsense", "ftp://localhost", "ws://localhost/#fragment"])
def test_fails_on_what_is_no_url(url: str) -> None:
    done = run(*COOEE, "hello", url)
    assert done.returncode == 1
    assert "URL" in done.stderr
    assert "Traceback" not in done.stderr
