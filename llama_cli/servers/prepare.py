"""What `run` needs before a server starts: its distribution found, no other server on its state, built, and a record;
for `restart` also that the former server has ended, which serves until everything is built.

All of it happens in a process of its own: rendering and planning load Jinja, YAML and pydantic, which the command line
that then only waits for its server need not carry. Knows what goes over the pipe between the two, that the one ends
with the other, and what goes into a record. Knows nothing of how a distribution is built or a server started.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import records, started_with
from llama_cli.servers.choices import Choices
from llama_cli.servers.process import describe_end
from llama_cli.servers.records import AlreadyRunning, Record
from llama_cli.servers.second_run import variables_digest
from llama_cli.terminal import console
from llama_cli.terminal.progress import Display, Step, display, told_to, working
from runtime.config.home import distribution_dir, has_environment
from runtime.config.text import read_text
from runtime.config.text import shown as shown_name

if TYPE_CHECKING:
    from runtime.config.run_config import RunConfig


class _Said(NamedTuple):
    """What `console.aside` would print."""

    text: str
    label: str | None
    style: str | None
    end: str


@dataclass(frozen=True, kw_only=True)
class Former:
    """The server whose id, state folder and port a new one takes over. drain_s: how long it may finish its requests."""

    record: Record
    drain_s: float


_Answer: TypeAlias = Record | AlreadyRunning | Failure
_Message: TypeAlias = _Said | list[Step] | _Answer
_telling = threading.Lock()

# Where we look for modules is where it has to: a folder given by `-m`, an editable install, an installed copy.
_PROGRAM = "import sys; sys.path[:] = {path!r}; from llama_cli.servers.prepare import main; main()"


def prepare(
    choices: Choices, variables: Mapping[str, str], *, config: str | None = None, replaces: Former | None = None
) -> Record:
    """`prepare_here` in a process of its own, whose words and progress are ours to show.

    Raises AlreadyRunning, and Failure for everything else that goes wrong there. Whatever ends us ends it, and uv below
    it, too.
    """
    with display() as shown, shown.step(f"preparing `{shown_name(choices.target)}`"):
        return _prepare(shown, choices, variables, config, replaces)


def _prepare(
    shown: Display, choices: Choices, variables: Mapping[str, str], config: str | None, replaces: Former | None
) -> Record:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(path=[os.path.abspath(place) for place in sys.path])],  # noqa: PTH100  # "" is the current folder
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C reaches us alone, and we pass it on once
    )
    assert process.stdin is not None and process.stdout is not None
    done: _Answer | None = None
    try:
        with suppress(BrokenPipeError):  # it did not come up: its end says so below
            pickle.dump((choices, dict(variables), config, replaces, console.settings, sys.argv), process.stdin)
            process.stdin.flush()  # and left open: its end is ours
        done = _followed(process.stdout, shown)
        process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        if isinstance(done, Record):  # it was all done there, and nobody is left to start it
            _take_back(done, replaces)
        raise
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        shown.mirror([])
    if done is None:
        why = describe_end(process.returncode)
        raise Failure(f"the build did not finish: {why}", hint="run the command again")
    if isinstance(done, Record):
        return done
    raise done


def _followed(told: IO[bytes], shown: Display) -> _Answer | None:
    """What the process returns or raises; None where it ends without. What it says and does meanwhile is shown."""
    while True:
        try:
            message: _Message = pickle.load(told)  # noqa: S301  # from our own process
        except (EOFError, pickle.UnpicklingError):  # killed, perhaps in the middle of a message
            return None
        if isinstance(message, _Said):
            console.aside(*message)
        elif isinstance(message, list):
            shown.mirror(message)
        else:
            return message


def prepare_here(
    choices: Choices, variables: Mapping[str, str], *, config: str | None = None, replaces: Former | None = None
) -> Record:
    """Find, check and build the distribution and make the record of its server, in this process.

    config: the text behind `choices.target`, where that cannot be read again. replaces: is stopped, where it still
    runs, once all is built. Raises AlreadyRunning before anything is written or built, NotFound,
    ConfigInvalid, Conflict, and Failure.
    """
    from llama_cli.packages.build import build
    from llama_cli.packages.source import Choice, locate
    from llama_cli.servers.startable import check_port, planned_for_start, warn_of_unread

    choice = Choice(
        target=choices.target,
        text=config,
        providers=choices.providers,
        offline=choices.offline,
        to_run=True,
        for_replay=choices.replay is not None,
    )
    source = locate(choice, variables)
    if not choices.own_state and replaces is None:
        records.refuse_second(source.name, choices.state or str(source.state_dir), config=str(source.run_yaml))
    former = replaces.record if replaces else None

    def check(run: RunConfig) -> None:
        planned_for_start(choices, run, variables, file=source.shown)
        check_port(choices, run, former=former)

    python = build(
        source,
        choice,
        variables,
        in_use=lambda: [record.python for record in records.alive_records()],
        before=check,
    ).python
    if replaces is not None:
        _stop(replaces)
    launch = os.urandom(8).hex()
    options = {
        **asdict(choices),
        "target": str(source.run_yaml) if config is not None else choices.target,  # it is started again from the copy
        "python": str(python),
        "launch": launch,
        "environment_digest": variables_digest(choices.environment_names, variables, salt=launch),
    }

    def facts(server_id: str) -> dict[str, Any]:
        own = Path(source.folder, "instances", server_id) if choices.own_state else None
        return {
            "config": str(source.run_yaml),
            "state_dir": former.state_dir or "" if former else str(own or choices.state or source.state_dir),
            "log_file": str(Path(source.folder, "logs", f"{server_id}.log")),
            "options": options,  # the server keeps these as they are and writes the rest itself
        }

    text = read_text(source.run_yaml, what="run config")
    warn_of_unread(choices.environment_names, text, variables, name=source.name)
    try:
        record = records.reserve(source.name, facts, beside=choices.own_state, only=former.id if former else None)
        started_with.keep(record, text)
    except BaseException:  # an interruption may come when the record is there and nobody has it yet
        for made in [one for one in records.records() if one.launch == launch]:
            _take_back(made, replaces)
        raise
    return record


def _stop(former: Former) -> None:
    """Where it has not ended meanwhile. Should this command be killed then, there is something to try again with."""
    from llama_cli.servers.stop import stop

    record = records.read(former.record.path)
    if record is None or not record.alive:
        return
    with working(f"stopping `{record.id}`"):
        stop(record, timeout_s=former.drain_s)
    records.rewrite(record, state="failed", reason="it was stopped to be started again")
    console.say(f"stopped `{record.id}`")


def _take_back(record: Record, replaces: Former | None) -> None:
    """The record of a server that nobody is left to start; a restart's stays, to try again with."""
    records.rewrite(record, state="failed", reason="the command that was to start it has ended")
    if replaces is None:
        records.forget(record)


def about(name: str, choices: Choices, *, run_yaml: str | None, beside: str | None = None) -> dict[str, Any]:
    """What of a server is known before it is started: what `run` prints of it, then and later. beside: its own id."""
    folder = distribution_dir(name)
    others = [record.id for record in records.alive_records() if record.name == name and record.id != beside]
    facts = {
        "run_yaml": run_yaml,
        "folder": str(folder),
        "is_built": has_environment(folder, for_replay=choices.replay is not None),
    }
    return {**facts, "running": others, "options": asdict(choices)}


def main() -> NoReturn:
    """The process's side: reads the arguments of `prepare`, writes what `prepare_here` returns or raises."""
    answer, replaces = None, None
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end_once)
        choices, variables, config, replaces, console.settings, sys.argv = pickle.load(sys.stdin.buffer)  # noqa: S301  # from our own process
        threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()
        console.elsewhere = lambda *said: _tell_aside(_Said(*said))
        with told_to(_tell_aside):
            answer = _answer(choices, variables, config=config, replaces=replaces)
        _tell(answer)
    except (KeyboardInterrupt, BrokenPipeError):
        if isinstance(answer, Record):
            _take_back(answer, replaces)
        console.let_go()
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit()


def _tell(message: _Message) -> None:
    """Raises BrokenPipeError where nobody is left to tell it to."""
    with _telling:
        pickle.dump(message, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _tell_aside(message: _Said | list[Step]) -> None:
    with suppress(BrokenPipeError):  # what goes on is ended in good order by `_end_with_parent`
        _tell(message)


def _answer(choices: Choices, variables: Mapping[str, str], **facts: Any) -> _Answer:
    """What `prepare_here` returns or raises, apart from an interruption."""
    from llama_cli.failures import failure_of

    try:
        return prepare_here(choices, variables, **facts)
    except AlreadyRunning as error:
        return error
    except Exception as error:
        return failure_of(error, sys.argv[1:])


def _end_once(number: int, frame: FrameType | None) -> None:
    """What is under way is ended in good order; a second signal must not cut that short."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not through `sys.stdin`, whose lock the interpreter wants at its end
        pass
    os.kill(os.getpid(), signal.SIGTERM)
