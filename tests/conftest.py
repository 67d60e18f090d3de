"""What every test gets: a leak check, the peers, and a summary of the peers that were missing."""

import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import leaks, peers

# Timing must not decide a test. The blob reproduces a failure seen elsewhere.
SLOW = [HealthCheck.too_slow]
settings.register_profile("default", deadline=None, print_blob=True, suppress_health_check=SLOW)
# `make fuzz`: the same properties, for as long as one likes.
settings.register_profile(
    "fuzz",
    deadline=None,
    print_blob=True,
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "20000")),
    suppress_health_check=list(HealthCheck),
)
# `make sanitize`, where everything takes several times as long.
settings.register_profile(
    "sanitize", deadline=None, print_blob=True, suppress_health_check=SLOW, max_examples=15
)
settings.load_profile("default")

# A shell that runs the tests in the background has them ignore Ctrl-C, and with them the programs
# that they start to be ended by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture(scope="session", autouse=True)
def own_reactor() -> None:
    """The thread's own reactor stays open as long as the thread: no test leaks it by using it."""
    from cooee.reactor import get_reactor

    get_reactor()


@pytest.fixture(autouse=True)
def no_leaks(request: pytest.FixtureRequest, own_reactor: None) -> Iterator[None]:
    """
    Fail a test that leaves a descriptor or a thread behind.

    Not one that has failed already: the traceback keeps its objects alive.
    """
    before = leaks.Snapshot()
    yield
    if request.node.stash.get(PASSED, False) and (leaked := before.leaked()):
        pytest.fail("left behind: " + ", ".join(leaked))


@pytest.fixture(scope="session")
def node() -> str:
    """The path of Node.js."""
    return peers.node()


@pytest.fixture(scope="session")
def bun() -> str:
    """The path of Bun."""
    return peers.bun()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium or Chrome."""
    return peers.chromium()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which peers were missing, and how many tests each kept from running."""
    skipped: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if reason.startswith(peers.MARK):
                skipped[reason.removeprefix(peers.MARK)] += 1
    if skipped:
        terminalreporter.section("peers missing", yellow=True, bold=True)
        for reason, count in sorted(skipped.items()):
            terminalreporter.line(
                f"SKIPPED PEER: {reason} ({count} test{'s' if count > 1 else ''})",
                yellow=True,
                bold=True,
            )
