"""What every test can use."""

import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from ganglion.testing.chance import SeededChance
from ganglion.testing.clock import FakeClock

# The same examples in every run, and no clock: a test fails because the code is wrong, or not at all.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")

# Rich pictures of what every variable held take seconds, and nobody looks at them.
_PLAIN_LOGS = {
    **structlog.get_config(),
    "processors": [
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ],
}
structlog.configure(**_PLAIN_LOGS)

pytest_plugins = ["secret_watch"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in its background so, and every child would inherit it: Ctrl-C could not be tried.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module", autouse=True)
def _plain_logs() -> Iterator[None]:
    """Give the next module plain logs, whatever this one, or a command that it called, made of them."""
    yield
    structlog.configure(**_PLAIN_LOGS)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that moves when the test says so."""
    return FakeClock()


@pytest.fixture
def chance() -> SeededChance:
    """Return chance that is the same in every run."""
    return SeededChance()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make simulate` try more worlds than `make test`."""
    parser.addoption("--seeds", type=int, default=12, help="How many seeds a simulation test tries.")


@pytest.fixture(scope="session")
def seeds(request: pytest.FixtureRequest) -> range:
    """Return the seeds that a simulation test should try."""
    return range(int(request.config.getoption("--seeds")))
