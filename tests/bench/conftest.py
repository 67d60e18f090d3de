"""What the benchmark's tests need."""

import pytest
from tests.bench.running import measure


@pytest.fixture(scope="session")
def load(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have the load generator compiled, and the documents written, by the runner."""
    measure(tmp_path_factory.mktemp("results"), "c-echo", "--only", "latency")
