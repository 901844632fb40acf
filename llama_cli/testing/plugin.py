"""The plugin: fixtures that give tests a stack, its recordings named after each test.

    def test_greets(llama_stack):
        answer = app.greet()   # which asks OPENAI_BASE_URL

    @pytest.mark.llama_stack(inject="openai: 429 20%")
    def test_tries_again(llama_stack): ...

Loaded by pytest in every project that has this package, so it imports little and does nothing until it is asked.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from llama_cli.testing.asked import Asked
    from llama_cli.testing.served import RunningStack
    from llama_cli.testing.settings import Settings

_MARK = "llama_stack"
_URL = "LLAMA_STACK_URL"
_ASKED: pytest.StashKey[Asked] = pytest.StashKey()


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
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A test that has asked what was not recorded fails, whatever became of that."""
    result = yield
    if asked := item.stash.get(_ASKED, None):
        _fail_for(asked)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """A test that has failed otherwise says that too: it may be the reason."""
    report = yield
    if call.when != "teardown" and report.failed and (asked := item.stash.get(_ASKED, None)):
        said = asked.all_words()
        if said and said not in report.longreprtext:
            report.sections.append((_MARK, said))
    return report


class Stacks:
    """The stacks of a run of tests: the one that they run in, if there is one, and one for each way to start others."""

    def __init__(self) -> None:
        self._around = os.environ.get(_URL)
        self._running: dict[Settings | None, RunningStack] = {}
        self._failed: dict[Settings | None, str] = {}
        self._open = ExitStack()

    def of(self, config: pytest.Config, marks: Iterable[pytest.Mark] = ()) -> RunningStack:
        """The stack of a test. marks: how it is to be started, the closest first. Fails what asks, with what the
        command says, where it does not start; who asks again is told the same.
        """
        marks = list(marks)
        is_around = bool(self._around and not marks and config.getoption("--llama-stack") is None)
        settings = None if is_around else _settings(config, marks)
        if settings not in self._running and settings not in self._failed:
            self._start(settings, is_one_of_many=_is_one_of_many(config))
        if settings in self._failed:
            pytest.fail(self._failed[settings], pytrace=False)
        return self._running[settings]

    def _start(self, settings: Settings | None, *, is_one_of_many: bool) -> None:
        from llama_cli.testing.served import OwnStack, RunningStack, StackFailed

        try:
            if settings is None:
                stack = RunningStack(self._around or "")
                if is_one_of_many and stack.recorded("") is not None:
                    raise StackFailed(
                        "recordings are made and replayed for one test at a time, and these run side by side: leave"
                        " `llama stack exec` out, and each of pytest's processes starts a stack of its own"
                    )
            else:
                stack = OwnStack(settings)
        except StackFailed as error:
            self._failed[settings] = f"the stack did not start:\n{error}" if settings else str(error)
            return
        self._open.callback(stack.close)
        self._running[settings] = stack

    def close(self) -> None:
        self._open.close()


@pytest.fixture(scope="session")
def llama_stacks() -> Iterator[Stacks]:
    """Every stack of this run."""
    stacks = Stacks()
    yield stacks
    stacks.close()


@pytest.fixture(scope="session")
def llama_stack_session(llama_stacks: Stacks, pytestconfig: pytest.Config) -> Iterator[RunningStack]:
    """A stack for what is done once, such as filling a vector store: its requests belong to no test."""
    from llama_cli.testing.asked import Asked

    stack = llama_stacks.of(pytestconfig)
    with _failing_aloud():
        asked = Asked(stack)
    yield stack
    _fail_for(asked)


@pytest.fixture
def llama_stack(
    request: pytest.FixtureRequest, llama_stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningStack]:
    """A stack that answers while the test runs, to which `OPENAI_BASE_URL` and the like lead: the one that the tests
    run in, below `llama stack exec`, or one of their own. In a replay, the test fails if something was asked that was
    not recorded, whatever became of that.
    """
    from llama_cli.testing.asked import Asked

    stack = llama_stacks.of(request.config, request.node.iter_markers(_MARK))
    with _failing_aloud():
        asked = Asked(stack, request.node.nodeid)
        asked.begin()
    request.node.stash[_ASKED] = asked
    for variable, value in stack.variables.items():
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, value)
    yield stack
    del request.node.stash[_ASKED]
    try:
        _fail_for(asked)  # for what was asked at its end, by other fixtures
    finally:
        with _failing_aloud():
            asked.end()


def _fail_for(asked: Asked) -> None:
    with _failing_aloud():
        said = asked.news()
    if said:
        pytest.fail(said, pytrace=False)


@contextmanager
def _failing_aloud() -> Iterator[None]:
    """What a stack that is gone has said is enough to know, without where we have asked it."""
    from llama_cli.testing.served import StackFailed

    try:
        yield
    except StackFailed as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _settings(config: pytest.Config, marks: Iterable[pytest.Mark]) -> Settings:
    from llama_cli.testing.settings import SettingsInvalid, settings_of

    try:
        return settings_of(config, marks)
    except SettingsInvalid as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _is_one_of_many(config: pytest.Config) -> bool:
    """Whether pytest-xdist runs other tests beside ours."""
    told: Mapping[str, Any] = getattr(config, "workerinput", {})
    return int(told.get("workercount", 1)) > 1
