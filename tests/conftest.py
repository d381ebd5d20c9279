"""Fixtures for every test. Nothing is started unless a test asks for it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from deploy.local import LocalRuntime, LocalSettings, Parts

# A shell that starts the tests in the background, or `nohup`, lets them and all their children ignore these.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# The same examples in every run, so that a change fails for what it changed, and no limit of time. To look
# for new ones: WAYMARK_EXPLORE=1 make test.
hypothesis.settings.register_profile("the same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None, print_blob=True)
hypothesis.settings.load_profile("explore" if os.environ.get("WAYMARK_EXPLORE") else "the same")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fail-on-skip", action="store_true", help="a skipped test fails the run (CI)")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI everything that tests need is installed: a skip there is a test that nobody runs."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if session.config.getoption("--fail-on-skip") and skipped and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def runtime() -> Iterator[Parts]:
    """Real Kafka and real PostgreSQL, started when the first test asks and stopped after the last, on
    fresh data. Servers named by WAYMARK_KAFKA and WAYMARK_DATABASE are used instead, and then hold what
    earlier sessions left: a test takes topics and schemas of its own. Looked after in threads, so it
    serves tests on any event loop."""
    settings = LocalSettings.read()
    data = Path(tempfile.mkdtemp(prefix="waymark-tests-"))
    try:
        with LocalRuntime(data, kafka=settings.kafka, database=settings.database, java=settings.java) as parts:
            yield parts
    finally:
        shutil.rmtree(data, ignore_errors=True)
