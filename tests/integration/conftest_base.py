# SPDX-License-Identifier: ISC
"""Fixtures of the integration tests. Every test has a mai of its own; its end is checked after each."""
import os
import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from lib.mai import Mai   # noqa: E402

# A shell's jobs behind the terminal ignore interrupts, and so would all that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): hard limit of one test")
    config.addinivalue_line("markers", "slow: waits for real time to pass")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """A hard limit for each test, set-up and end included."""
    mark = item.get_closest_marker("limit")
    seconds = int(mark.args[0] if mark else 60) * max(1, int(float(os.environ.get("MAI_TEST_SLOW", "1"))))

    def late(sig, frame):
        raise TimeoutError(f"{item.name}: over {seconds} s")

    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


@pytest.fixture
def new_mai(tmp_path_factory):
    """Makes instances; each is checked and taken down after the test."""
    made = []

    def make():
        made.append(Mai(tmp_path_factory.mktemp("m", numbered=True)))
        return made[-1]

    yield make
    errors = []
    for m in made:
        try:
            m.finish()
        except (AssertionError, TimeoutError) as e:
            errors.append(str(e))
    assert not errors, "\n".join(errors)


@pytest.fixture
def mai(new_mai):
    """One instance, not yet started."""
    return new_mai()


@pytest.fixture
def one(mai):
    """One instance with one good engine `m`, ready."""
    mai.config({"m": mai.engine("m")})
    mai.start_all()
    return mai
