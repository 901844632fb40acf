"""One run of uv: start it, show its progress, end it with us, and name the cause when it fails.

Knows uv's words and process groups. Knows nothing of locks, environments or where packages come from.

uv tells how far it is only to a terminal, by drawing: it gets a pseudo-terminal of its own, whose bytes are read
(`uv_screen.py`) and shown as all our progress is. The cause of a failure, and with it the exit code, is read from uv's
words wherever the command runs.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from llama_cli.exits import ExitCode, Failure
from llama_cli.packages.uv_screen import UvScreen
from llama_cli.terminal.progress import display
from runtime.redaction import redact_text

if sys.platform != "win32":  # `list-deps` works there
    import termios
    import tty

# Settings of the caller's own work that would bend ours: another interpreter, another target, another module path; and
# constraints, which are arguments where they count, since uv refuses them beside a pylock.toml.
_NOT_PASSED_ON = (
    *("UV_SYSTEM_PYTHON", "UV_PYTHON", "UV_BREAK_SYSTEM_PACKAGES", "UV_PROJECT", "UV_WORKING_DIR", "UV_CONSTRAINT"),
    *("PYTHONHOME", "PYTHONPATH"),
)
_TAIL_LINES = 20
_GRACE_S = 5.0
_SCREEN_LINES, _SCREEN_COLUMNS = 200, 200


_ONLINE = "run it once without `--offline` and `UV_OFFLINE`"
# uv's words, how the command then ends, what we say of it, what to do; the first that fits counts, since a failed
# request names its address beside the cause. `explain` fills in what is in braces.
_CAUSES = (
    (
        "no space left on device|os error 28|disk quota exceeded",
        ExitCode.FAILED,
        "the disk is full",
        "free some space (`uv cache prune` helps), or set `LLAMA_HOME` and `UV_CACHE_DIR` to folders elsewhere",
    ),
    (
        "network (was|is|connectivity is) disabled",
        ExitCode.NETWORK,
        "a package is not in uv's cache and the network is switched off",
        _ONLINE,
    ),
    (
        "unknownissuer|invalid peer certificate|certificate verify|self-signed certificate",
        ExitCode.NETWORK,
        "the certificate of `{host}` is not trusted",
        "name your CA bundle: `SSL_CERT_FILE=FILE`, or pip's `cert` setting",
    ),
    (
        "407 proxy|proxy authorization required",
        ExitCode.NETWORK,
        "`{host}` cannot be reached{through}: the proxy refuses us",
        "put user and password into the proxy's address: `{variable}=http://USER:PASSWORD@HOST:PORT`",
    ),
    (
        r"401 unauthorized|403 forbidden|\(40[13]",
        ExitCode.NETWORK,
        "`{host}` refuses us",
        "put user and token into the index address (`UV_INDEX_URL`) or into ~/.netrc",
    ),
    (
        r"http status (client|server) error",
        ExitCode.NETWORK,
        "`{host}` answered `{status}`",
        "try again later, or name another index with `PIP_INDEX_URL` or `UV_INDEX_URL`; `--offline` asks none",
    ),
    (
        "failed to fetch|error sending request|request failed after|dns error|connection reset|operation timed out",
        ExitCode.NETWORK,
        "`{host}` cannot be reached{through}",
        "{proxy_hint}; `PIP_INDEX_URL` or `UV_INDEX_URL` name another index; `--offline` takes what is in uv's cache",
    ),
    (
        "hash mismatch",
        ExitCode.NETWORK,
        "a package is not the one that was locked",
        "remove pylock.toml and build again, if you trust where it comes from",
    ),
    (
        "failed to build|build backend",
        ExitCode.NETWORK,
        "`{package}` has no ready wheel for this machine and does not compile",
        "install a compiler (Debian: `apt-get install build-essential cmake`) or leave out the provider",
    ),
    (
        "permission denied|os error 13|read-only file system",
        ExitCode.ACCESS,
        "{last_line}",
        "check who owns the Llama home and uv's cache",
    ),
)


def find_uv() -> str:
    """The uv that was installed beside us, else (a distribution's own packaging) the one on PATH. Raises
    Failure where there is none.
    """
    with contextlib.suppress(ImportError, FileNotFoundError):
        import uv

        return str(uv.find_uv_bin())
    if on_path := shutil.which("uv"):
        return on_path
    raise Failure("uv is not installed", hint="install it: `pip install uv`")


def run_uv(
    arguments: Sequence[str],
    *,
    doing: str,
    folder: Path,
    environment: Mapping[str, str],
    step: str,
    sizes: Mapping[str, int] | None = None,
) -> str:
    """Run uv in `folder`, wait for it and return what it wrote, without colours.

    doing: what it is for, as in "could not {doing}"; step: the same as progress says it. environment: added to ours.
    sizes: as for UvScreen. Raises Failure where it fails. On any exception here, Ctrl-C among them, its process group
    is ended before that goes on.
    """
    variables = {**os.environ, **environment, "UV_PYTHON_DOWNLOADS": "never"}
    for name in _NOT_PASSED_ON:
        variables.pop(name, None)
    source, sink = _screen()
    with os.fdopen(source, "rb", buffering=0) as reader, display() as shown, UvScreen(shown, step, sizes) as screen:
        process = None
        try:
            try:
                with _undisturbed():
                    process = subprocess.Popen(
                        [find_uv(), *arguments],
                        cwd=folder,
                        env=variables,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=sink,
                        start_new_session=True,
                    )
            except OSError as error:
                raise Failure(f"could not {doing}: uv does not start: {error}") from error
            finally:
                os.close(sink)
            while data := _read(reader.fileno()):
                screen.feed(data)
            code = process.wait()
        except BaseException:
            if process is not None:
                _end(process)
            raise
    output = screen.text()
    if code:
        offline = variables.get("UV_OFFLINE", "").lower() in ("1", "true", "yes", "on")
        raise explain(output, doing=doing, environment=variables, offline=offline)
    return output


def explain(output: str, *, doing: str, environment: Mapping[str, str], offline: bool = False) -> Failure:
    """The failure that uv had, from what it wrote: the cause, where we know it, in one line with what to do, else uv's
    own words. Its details are the last lines, without colours and passwords.

    offline: uv was given no network, so that a version that cannot be had may only be missing in its cache.
    """
    output = redact_text(output)
    lines = [line for line in output.splitlines() if line.strip()] or ["uv said nothing"]
    last = max(0, len(lines) - _TAIL_LINES)
    start = next((number for number, line in enumerate(lines) if line.startswith("error:")), last)
    tail = "\n".join(lines[start:][:_TAIL_LINES])

    def failed(code: ExitCode, why: str, hint: str | None) -> Failure:
        return Failure(f"could not {doing}: {why}", hint=hint, code=code, details=tail)

    for words, code, why, hint in _CAUSES:
        if re.search(words, output, re.IGNORECASE):
            host = re.search(r"https?://(?:[^\s`'\")/]*@)?([^\s`'\")/]+)", tail)
            status = re.search(r"HTTP status \w+ error \((.+)\) for url", output)
            package = re.search(r"[Ff]ailed to (?:download and )?build `([^`]+)`", output)
            variable, proxy = _proxy(environment)
            facts = {
                "host": host[1] if host else "the package index",
                "status": status[1] if status else "an error",
                "package": package[1] if package else "a package",
                "last_line": lines[-1].strip(),
                "through": f" through the proxy `{redact_text(proxy)}` ({variable})" if proxy else "",
                "variable": variable or "HTTPS_PROXY",
                "proxy_hint": f"check `{variable}`" if proxy else "behind a proxy set `HTTPS_PROXY`",
            }
            return failed(code, why.format(**facts), hint.format(**facts))
    if "no solution found" in output.lower():
        reasons, _, advice = tail.partition("cause: ")[2].partition("\nhint: ")
        why = " ".join(reasons.split()) or "the requirements contradict each other"
        if offline:
            return failed(ExitCode.NETWORK, f"with what is in uv's cache: {why}", _ONLINE)
        return failed(ExitCode.FAILED, why, " ".join(advice.split()) or None)
    return failed(ExitCode.FAILED, lines[start].removeprefix("error:").strip(), None)


def _proxy(environment: Mapping[str, str]) -> tuple[str, str]:
    """The variable that names the proxy, and the proxy; both empty where there is none."""
    names = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
    return next(((name, environment[name]) for name in names if environment.get(name)), ("", ""))


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals come when the block has ended: raised in the middle of it, they would lose a process that nobody could
    end any more.
    """
    came = list[int]()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    # Those that are ignored stay so, also for the process that is started.
    handlers = {number: handler for number, handler in handlers.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread():  # where none is raised
        handlers = {}
    for number in handlers:
        signal.signal(number, lambda which, _: came.append(which))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for which in came[:1]:
            signal.raise_signal(which)


def _screen() -> tuple[int, int]:
    """The end that we read, the end that uv draws on: a pseudo-terminal with place for all that it can draw at once; a
    pipe where the system has none left.
    """
    try:
        ours, theirs = os.openpty()
    except OSError:
        return os.pipe()
    tty.setraw(theirs)
    termios.tcsetwinsize(theirs, (_SCREEN_LINES, _SCREEN_COLUMNS))
    return ours, theirs


def _read(source: int) -> bytes:
    """What has come; empty at the end."""
    try:
        return os.read(source, 65536)
    except OSError:  # a pseudo-terminal that uv has closed answers EIO, not an end of file
        return b""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End uv and what it started (build backends): ask, wait a little, insist."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
        os.killpg(process.pid, signal.SIGKILL)  # what is left of the group, uv or a compiler
    process.wait()
