"""What all layers share: options, one Llama home for the tests that serve, and what a run has not checked."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.stack_home import Home

_NOTES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("llama stack")
    group.addoption(
        "--stack-config",
        metavar="NAME|FILE|URL",
        help="run tests/integration against this stack (default: ci-tests, built here)",
    )
    group.addoption(
        "--text-model", metavar="MODEL", help="the model that they chat with (default: the first one served)"
    )
    group.addoption(
        "--embedding-model", metavar="MODEL", help="the model that they embed with (default: the first one served)"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_NOTES] = []


@pytest.fixture(scope="session")
def note(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Puts a line under the final summary: which of several ways a test took on this machine."""
    return pytestconfig.stash[_NOTES].append


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A Llama home for the whole session: each distribution is built in it once, from uv's shared cache."""
    from tests.support.stack_home import Home

    return Home(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def loopback_only() -> list[str]:
    """The start of a command that runs with no network but loopback. Skips where this user may make no namespace."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("a network namespace needs `unshare` and `ip`")
    into = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    tried = subprocess.run([*into, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"this user may not make a network namespace: {tried.stderr.strip()}")
    return into


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Which claims this run has not checked, and why: a skip is easily overlooked in a green line."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        _, _, reason = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
        place = Path(report.nodeid.split("::")[0]).as_posix()
        reasons[f"{place}: {reason.removeprefix('Skipped: ')}"] += 1
    if reasons:
        terminalreporter.section("not checked here")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count} x {reason}")
    if notes := config.stash[_NOTES]:
        terminalreporter.section("how it was checked")
        for line in dict.fromkeys(notes):
            terminalreporter.write_line(line)
