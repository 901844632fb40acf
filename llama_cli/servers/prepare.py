"""What `run` needs before a server starts: its distribution found, nobody else serving it, and built.

All of it happens in a process of its own: rendering and planning load Jinja, YAML and pydantic, which the command line
that then only waits for its server need not carry. Knows what goes over the pipe between the two, and that the one
ends with the other. Knows nothing of how a distribution is built or a server started.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import FrameType
from typing import Any, NoReturn

from llama_cli import console
from llama_cli.console import ExitCode, Failure
from llama_cli.servers import records
from llama_cli.servers.process import describe_end
from llama_cli.servers.records import AlreadyRunning
from runtime.errors import NotFound, StackError

# Where we look for modules is where it has to: a folder given by `-m`, an editable install, an installed copy.
_PROGRAM = "import sys; sys.path[:] = {path!r}; from llama_cli.servers.prepare import main; main()"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be served. target: DISTRO, NAME or FILE; text: what stands behind it, where that was read already;
    state: a folder chosen for it, absolute.

    beside: with a state folder of its own or in place of a server that has ended, so that no other is in its way.
    """

    target: str
    text: str | None = None
    providers: str | None = None
    offline: bool = False
    state: str | None = None
    beside: bool = False
    quiet: bool = False


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A distribution that can be served; all but its name are absolute paths."""

    name: str
    folder: str
    run_yaml: str
    python: str
    state_dir: str


def prepare(wanted: Wanted, environment: Mapping[str, str]) -> Prepared:
    """`prepare_here` in a process of its own; it shows its progress on our standard error.

    Raises AlreadyRunning, and Failure for everything else that goes wrong there. Whatever ends us ends it, and uv below
    it, too.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(path=[os.path.abspath(place) for place in sys.path])],  # noqa: PTH100  # "" is the current folder
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches us alone, and we pass it on once
    )
    assert process.stdin is not None and process.stdout is not None
    request = {
        "wanted": asdict(wanted),
        "environment": dict(environment),
        "settings": asdict(console.settings),
        "argv": sys.argv,
    }
    try:
        with contextlib.suppress(BrokenPipeError):  # it did not come up: its end says so below
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        answer = process.stdout.read()
        process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
    return _understood(answer, process.returncode)


def prepare_here(wanted: Wanted, environment: Mapping[str, str]) -> Prepared:
    """Find, check and build the distribution, in this process.

    Raises AlreadyRunning before anything is written or built, NotFound, ConfigInvalid, Conflict, and Failure.
    """
    from llama_cli.packages.build import build
    from llama_cli.packages.source import Choice, locate

    choice = Choice(
        target=wanted.target, text=wanted.text, providers=wanted.providers, offline=wanted.offline, to_run=True
    )
    source = locate(choice, environment)
    if not wanted.beside:
        records.refuse_second(wanted.state or str(source.state_dir), config=str(source.run_yaml))
    built = build(
        choice,
        in_use=lambda: [record.python for record in records.alive_records()],
        environment=environment,
        quiet=wanted.quiet,
        source=source,
    )
    return Prepared(
        name=built.name,
        folder=str(built.folder),
        run_yaml=str(built.run_yaml),
        python=str(built.python),
        state_dir=str(built.state_dir),
    )


def main() -> NoReturn:
    """The process's side: one line of JSON in, one document out."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end_once)
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()
    console.settings = console.Settings(**request["settings"])
    sys.argv = request["argv"]
    from llama_cli.failures import failure_of

    answer: dict[str, Any]
    try:
        answer = {"prepared": asdict(prepare_here(Wanted(**request["wanted"]), request["environment"]))}
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except AlreadyRunning as error:
        answer = {"running": error.record.id, "config": error.config}
    except (Failure, StackError, Exception) as error:
        failure = failure_of(error, sys.argv[1:])
        answer = {
            "failure": {
                "message": failure.message, "hint": failure.hint, "code": failure.code, "facts": failure.facts,
            }
        }  # fmt: skip
    sys.stdout.write(json.dumps(answer))
    sys.exit()


def _understood(answer: str, returncode: int) -> Prepared:
    try:
        document: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise Failure(f"the build did not finish: {describe_end(returncode)}", hint="run the command again") from None
    if "prepared" in document:
        return Prepared(**document["prepared"])
    if "running" in document:
        try:
            raise AlreadyRunning(records.find(document["running"]), config=document["config"])
        except NotFound:
            raise Failure(
                f"`{document['running']}` was running, and has just ended",
                hint="run the command again",
                code=ExitCode.CONFLICT,
            ) from None
    raise Failure(**document["failure"])


def _end_once(number: int, frame: FrameType | None) -> None:
    """What is under way is ended in good order; a second signal must not cut that short."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not through `sys.stdin`, whose lock the interpreter wants at its end
        pass
    os.kill(os.getpid(), signal.SIGTERM)
