"""The plugin: fixtures that give tests a stack, its recordings named after each test.

    def test_greets(llama_stack):
        answer = app.greet()   # which asks OPENAI_BASE_URL

    @pytest.mark.llama_stack(inject="openai: 429 20%")
    def test_tries_again(llama_stack): ...

Loaded by pytest in every project that has this package, so it imports little and does nothing until it is asked.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from llama_cli.testing.served import RunningStack, Settings

_MARK = "llama_stack"
_HAS_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("llama_stack", "a stack for tests")
    group.addoption("--llama-stack", metavar="DISTRO|FILE", help="the stack of the fixture llama_stack")
    group.addoption(
        "--llama-stack-mode",
        choices=("record", "replay", "record-if-missing", "live"),
        help="what is done with recordings; by default what the configuration says, or replay",
    )
    group.addoption("--llama-stack-recordings", metavar="DIR", help="the folder of recordings")
    parser.addini(
        "llama_stack", "the stack of the fixture llama_stack: a distribution or a run config", default="starter"
    )
    parser.addini("llama_stack_mode", "record, replay, record-if-missing or live", default="replay")
    parser.addini("llama_stack_recordings", "the folder of recordings", default="tests/recordings")
    parser.addini("llama_stack_options", "more options of `llama stack exec`", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{_MARK}(target=, replay=, record=, record_if_missing=, live=, inject=, options=): how the stack of the"
        " fixture llama_stack is started for a test",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    if call.when == "call":
        item.stash[_HAS_FAILED] = call.excinfo is not None
    return (yield)


class Stacks:
    """The stacks of a run of tests: the one that they run in, if there is one, and one for each way to start others."""

    def __init__(self) -> None:
        self._running: dict[Settings | None, RunningStack] = {}

    def of(self, config: pytest.Config, mark: pytest.Mark | None = None) -> RunningStack:
        """The stack of a test. Fails what asks, with what the command says, where it does not start."""
        from llama_cli.testing.served import URL, OwnStack, RunningStack, StackFailed

        here = os.environ.get(URL) if mark is None and config.getoption("--llama-stack") is None else None
        settings = None if here else _settings(config, mark)
        if settings not in self._running:
            try:
                self._running[settings] = RunningStack(here) if here else OwnStack(_settings(config, mark))
            except StackFailed as error:
                pytest.fail(f"the stack did not start:\n{error}", pytrace=False)
        return self._running[settings]

    def close(self) -> None:
        for stack in self._running.values():
            stack.close()


@pytest.fixture(scope="session")
def llama_stacks() -> Iterator[Stacks]:
    """Every stack of this run."""
    stacks = Stacks()
    yield stacks
    stacks.close()


@pytest.fixture(scope="session")
def llama_stack_session(llama_stacks: Stacks, pytestconfig: pytest.Config) -> RunningStack:
    """A stack for what is done once, such as filling a vector store: its requests belong to no test."""
    return llama_stacks.of(pytestconfig)


@pytest.fixture
def llama_stack(
    request: pytest.FixtureRequest, llama_stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningStack]:
    """A stack that answers while the test runs, to which `OPENAI_BASE_URL` and the like lead: the one that the tests
    run in, below `llama stack exec`, or one of their own. In a replay, the test fails if something was asked that was
    not recorded, whatever became of that.
    """
    from llama_cli.testing.served import in_words

    stack = llama_stacks.of(request.config, request.node.get_closest_marker(_MARK))
    name = request.node.nodeid
    stack.begin(name)
    for variable, value in stack.variables.items():
        monkeypatch.setenv(variable, value)
    yield stack
    missed = stack.missed(name)
    stack.begin("")
    if missed and not request.node.stash.get(_HAS_FAILED, False):  # else that says it already
        pytest.fail(
            f"{in_words(missed)}\n\nrecord anew: pytest --llama-stack-mode record '{name}'",
            pytrace=False,
        )


def _settings(config: pytest.Config, mark: pytest.Mark | None) -> Settings:
    """How a stack is started: as the test's mark says, over that the command line, below it the environment and the
    configuration.
    """
    from llama_cli.servers.recorded import FOLDER_VARIABLES, MODE_VARIABLES
    from llama_cli.testing.served import MODES, Settings

    given: dict[str, Any] = dict(mark.kwargs) if mark is not None else {}
    unknown = given.keys() - {"target", "replay", "record", "record_if_missing", "live", "inject", "options"}
    if unknown or (mark is not None and mark.args):
        pytest.fail(
            f"@pytest.mark.{_MARK} has no {', '.join(sorted(unknown)) or 'place for other values'}", pytrace=False
        )
    mode = _variable(MODE_VARIABLES) or config.getini("llama_stack_mode")
    recordings = _variable(FOLDER_VARIABLES) or config.getini("llama_stack_recordings")
    for one in MODES:
        if named := given.get(one.replace("-", "_")):
            mode, recordings = one, recordings if one == "live" else str(named)
    mode = config.getoption("--llama-stack-mode") or mode
    if mode not in MODES:
        pytest.fail(f"`{mode}` is no mode of recordings: {', '.join(MODES)}", pytrace=False)
    return Settings(
        target=config.getoption("--llama-stack") or given.get("target") or config.getini("llama_stack"),
        mode=mode,
        recordings=str(config.rootpath / (config.getoption("--llama-stack-recordings") or recordings)),
        inject=given.get("inject"),
        options=(*config.getini("llama_stack_options"), *given.get("options", ())),
    )


def _variable(names: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in names if os.environ.get(name)), None)
