"""Settings of every test run. That warnings are errors is said in pyproject.toml."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings
from xdist.remote import Producer

from tests.private_state import session_directory
from tests.sharing import OneAfterAnother

# The same examples in every run, and no failures for being slow on a busy machine.
# To look for new examples: pytest --hypothesis-profile=default
settings.register_profile("ci", max_examples=50, derandomize=True, deadline=None, print_blob=True)
settings.load_profile("ci")

# Shells start what runs in the background with SIGINT ignored, which the programs of tests would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneAfterAnother:
    # Not the mark xdist_group: pytest-xdist 3.8 does not see it under pytest 9.2.
    return OneAfterAnother(config, log)


@pytest.fixture(scope="session", autouse=True)
def private_directory() -> Iterator[None]:
    """Keep all tests, and the programs that they start, out of this user's real private directory."""
    if sys.platform == "win32":
        yield
        return
    with session_directory():
        yield
