"""One run of uv: start it, show how far it is, end it with us, and say in our words why it failed.

Knows uv's messages and process groups. Knows nothing of locks, environments or where packages come from; prints
nothing itself: it hands what there is to show to the `Progress` it was given.
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from runtime.config.redaction import redact_text
from runtime.errors import StackError

if sys.platform != "win32":
    import fcntl
    import termios
    import tty

Failure = Literal[
    "network",
    "offline",
    "certificate",
    "credentials",
    "disk",
    "permission",
    "build",
    "hash",
    "unsatisfiable",
    "uv",
    "other",
]

# Settings of the caller's own work that would bend ours: another interpreter, another target, another module path.
_NOT_PASSED_ON = (
    "UV_SYSTEM_PYTHON",
    "UV_PYTHON",
    "UV_BREAK_SYSTEM_PACKAGES",
    "UV_PROJECT",
    "UV_WORKING_DIR",
    "PYTHONHOME",
    "PYTHONPATH",
)
_TAIL_LINES = 20
_GRACE_S = 5.0
_ONLINE = "run it once without `--offline` and `UV_OFFLINE`"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where to show how far it is; nothing set means quiet.

    terminal: gets uv's own bars, byte for byte as it draws them. line: gets one line of text about every `every_s`
    seconds.
    """

    terminal: BinaryIO | None = None
    line: Callable[[str], None] | None = None
    every_s: float = 3.0


class EnvironmentFailed(StackError):
    """A distribution's environment could not be locked or built; the one that stood before still stands.

    failure: what kind of thing went wrong. output: the last lines that uv wrote, without colours and passwords.
    """

    code = "environment_failed"

    def __init__(self, message: str, *, failure: Failure, hint: str | None = None, output: str = "") -> None:
        super().__init__(message, hint=hint)
        self.failure = failure
        self.output = output


@dataclass(frozen=True, kw_only=True)
class Finished:
    """output: all that uv wrote, for what it tells about itself; seconds: wall clock."""

    output: str
    seconds: float


def find_uv() -> str:
    """The uv that was installed beside us, else the one on PATH. Raises EnvironmentFailed."""
    try:
        import uv  # a small package whose binary counts; without it (a distribution's own packaging) PATH has one

        return str(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        pass
    if on_path := shutil.which("uv"):
        return on_path
    raise EnvironmentFailed("uv is not installed", failure="uv", hint="install it: `pip install uv`")


def run_uv(
    arguments: Sequence[str],
    *,
    doing: str,
    folder: Path,
    environment: Mapping[str, str],
    progress: Progress | None = None,
    keep_open: Sequence[int] = (),
) -> Finished:
    """Run uv in `folder` and wait for it.

    doing: what it is for, as in "could not {doing}". environment: added to ours. keep_open: file descriptors that it
    inherits, such as a lock that must outlive us while it works. Raises EnvironmentFailed where it fails. On any
    exception here, Ctrl-C among them, its process group is ended before that goes on.
    """
    progress = progress or Progress()
    variables = {**os.environ, **environment, "UV_PYTHON_DOWNLOADS": "never"}
    for name in _NOT_PASSED_ON:
        variables.pop(name, None)
    screen = _Screen() if progress.terminal and sys.platform != "win32" else None
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            [find_uv(), *arguments],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=screen.slave if screen else subprocess.PIPE,
            start_new_session=True,
            pass_fds=keep_open if os.name == "posix" else (),
        )
    except OSError as error:
        if screen:
            screen.close()
        raise EnvironmentFailed(f"could not {doing}: uv does not start: {error}", failure="uv") from error

    try:
        output = _follow(process, screen, progress, doing, started)
        code = process.wait()
    finally:
        if screen:
            screen.close()
        if process.stderr:
            process.stderr.close()
    if code:
        offline = "--offline" in arguments or variables.get("UV_OFFLINE", "").lower() in ("1", "true", "yes", "on")
        raise explain(output, doing=doing, environment=variables, offline=offline)
    return Finished(output=output, seconds=time.monotonic() - started)


def explain(output: str, *, doing: str, environment: Mapping[str, str], offline: bool = False) -> EnvironmentFailed:
    """The error for what uv wrote before it failed: what happened, to whom, what to do.

    offline: uv was told to use no network, so that a version that cannot be had may only be missing in its cache.
    """
    output = redact_text(output)
    low = output.lower()
    lines = [line for line in output.splitlines() if line.strip()]
    start = next(
        (number for number, line in enumerate(lines) if line.startswith("error:")), max(0, len(lines) - _TAIL_LINES)
    )
    tail = "\n".join(lines[start:][:_TAIL_LINES])
    url = re.search(r"https?://[^\s`'\")]+", tail)
    host = re.sub(r"https?://(?:[^/]*@)?([^/]+).*", r"\1", url[0]) if url else "the package index"

    def failed(failure: Failure, why: str, hint: str | None) -> EnvironmentFailed:
        return EnvironmentFailed(f"could not {doing}: {why}", failure=failure, hint=hint, output=tail)

    def has(*words: str) -> bool:
        return any(word in low for word in words)

    if has("no space left on device", "os error 28", "disk quota exceeded"):
        return failed(
            "disk",
            "the disk is full",
            "free some space (`uv cache prune` helps), or set `LLAMA_HOME` and `UV_CACHE_DIR` to folders elsewhere",
        )
    if has("network was disabled", "network is disabled", "network connectivity is disabled"):
        return failed(
            "offline",
            "a package is not in uv's cache and the network is switched off",
            _ONLINE,
        )
    if has("unknownissuer", "invalid peer certificate", "certificate verify", "self-signed certificate"):
        return failed(
            "certificate",
            f"the certificate of `{host}` is not trusted",
            "name your CA bundle: `SSL_CERT_FILE=FILE`, or pip's `cert` setting",
        )
    if has("401 unauthorized", "403 forbidden", "407 proxy", "(401", "(403"):
        return failed(
            "credentials",
            f"`{host}` refuses us",
            "put user and token into the index address (`UV_INDEX_URL`) or into ~/.netrc",
        )
    if has(
        "failed to fetch",
        "error sending request",
        "request failed after",
        "dns error",
        "connection reset",
        "operation timed out",
    ):
        variable, proxy = _proxy(environment)
        through = f" through the proxy `{redact_text(proxy)}` ({variable})" if proxy else ""
        hint = f"set `{variable}` right" if proxy else "behind a proxy set `HTTPS_PROXY`"
        return failed(
            "network",
            f"`{host}` cannot be reached{through}",
            f"{hint}; `PIP_INDEX_URL` or `UV_INDEX_URL` name another index; `--offline` takes what is in uv's cache",
        )
    if has("hash mismatch"):
        return failed(
            "hash",
            "a package is not the one that was locked",
            "delete requirements.txt and build again, if you trust where it comes from",
        )
    if has("failed to build", "build backend"):
        what = re.search(r"[Ff]ailed to (?:download and )?build `([^`]+)`", output)
        return failed(
            "build",
            f"`{what[1] if what else 'a package'}` has no ready wheel for this machine and does not compile",
            "install a compiler (Debian: `apt-get install build-essential cmake`) or leave out the provider",
        )
    if has("no solution found"):
        reasons, _, advice = tail.partition("cause: ")[2].partition("\nhint: ")
        why = " ".join(reasons.split()) or "the requirements contradict each other"
        if offline:
            return failed("offline", f"with what is in uv's cache: {why}", _ONLINE)
        return failed("unsatisfiable", why, " ".join(advice.split()) or None)
    if has("permission denied", "os error 13", "read-only file system"):
        return failed(
            "permission",
            lines[-1].strip() if lines else "permission denied",
            "check who owns the Llama home and uv's cache",
        )
    return failed("other", lines[start].removeprefix("error:").strip() if lines else "uv said nothing", None)


def _proxy(environment: Mapping[str, str]) -> tuple[str, str]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        if environment.get(name):
            return name, environment[name]
    return "", ""


class _Screen:
    """A pseudo-terminal for uv to draw its bars on, as wide as ours, so that we can show and keep them at once."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        with contextlib.suppress(OSError):  # our standard error may be no terminal, then it keeps its 0 x 0
            fcntl.ioctl(self.slave, termios.TIOCSWINSZ, fcntl.ioctl(2, termios.TIOCGWINSZ, b"\0" * 8))

    def close(self) -> None:
        for descriptor in (self.master, self.slave):
            if descriptor >= 0:
                os.close(descriptor)
        self.master = self.slave = -1

    def close_slave(self) -> None:
        """Ours, once uv has its own: the master then reads to an end when uv is gone."""
        os.close(self.slave)
        self.slave = -1


def _follow(
    process: subprocess.Popen[bytes], screen: _Screen | None, progress: Progress, doing: str, started: float
) -> str:
    """Read what uv writes to its end, showing how far it is; returns it as text without colours."""
    if screen:
        screen.close_slave()
        source = screen.master
    else:
        assert process.stderr is not None
        source = process.stderr.fileno()
    chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(source, chunks), name="uv output", daemon=True)
    reader.start()

    written = b""
    try:
        written = _show(chunks, progress, doing, started)
    except BaseException:
        _end(process)
        raise
    finally:
        reader.join(_GRACE_S)
    return _plain(written)


def _show(chunks: queue.SimpleQueue[bytes], progress: Progress, doing: str, started: float) -> bytes:
    """Pass on what arrives until an empty chunk ends it; returns all of it."""
    written = b""
    next_line = started + progress.every_s
    while True:
        wait_s = max(0.05, next_line - time.monotonic()) if progress.line else None
        try:
            chunk = chunks.get(timeout=wait_s)
        except queue.Empty:
            chunk = None
        if chunk == b"":
            return written
        if chunk:
            written += chunk
            if progress.terminal:
                progress.terminal.write(chunk)
                progress.terminal.flush()
        if progress.line and time.monotonic() >= next_line:
            progress.line(_where(_plain(written), doing, time.monotonic() - started))
            next_line = time.monotonic() + progress.every_s


def _read(source: int, chunks: queue.SimpleQueue[bytes]) -> None:
    while True:
        try:
            chunk = os.read(source, 65536)
        except OSError:  # a pseudo-terminal whose other side is closed answers EIO, not an end of file
            chunk = b""
        chunks.put(chunk)
        if not chunk:
            return


def _where(output: str, doing: str, seconds: float) -> str:
    """One line for people who see no bars: `install packages: 3 of 7 large downloads, now torch (183.0MiB), 12 s`."""
    begun = re.findall(r"^Downloading (.+)$", output, re.MULTILINE)
    done = set(re.findall(r"^ Downloaded (.+)$", output, re.MULTILINE))
    building = re.findall(r"^\s*Building (\S+)", output, re.MULTILINE)
    left = [entry for entry in begun if entry.split(" (")[0] not in done]
    parts = [
        f"{len(done)} of {len(begun)} large downloads" if begun else "",
        f"now {', '.join(left[:3])}" if left else "",
    ]
    if building and not left:
        parts.append(f"building {building[-1]}")
    return f"{doing}: " + ", ".join([*filter(None, parts), f"{seconds:.0f} s"])


def _plain(written: bytes) -> str:
    """Text without colours and cursor movements, a line for each time the cursor went back to the start."""
    text = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", written).decode(errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End uv and what it started (build backends): ask, wait a little, insist."""
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_S)
            os.killpg(process.pid, signal.SIGKILL)  # whoever is left of the group, uv or a compiler
    process.wait()


@contextlib.contextmanager
def our_words(doing: str, folder: Path) -> Iterator[None]:
    """Turn the system's refusal to write in `folder` into EnvironmentFailed."""
    try:
        yield
    except OSError as error:
        full = error.errno == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error)
        why = "the disk is full" if full else error.strerror or str(error)
        hint = "check its free space and owner; `LLAMA_HOME` names another place"
        failure: Failure = "disk" if full else "permission"
        raise EnvironmentFailed(f"could not {doing} in `{folder}`: {why}", failure=failure, hint=hint) from error
