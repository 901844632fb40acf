"""A real PostgreSQL server on a free port, for the tests that need one: of the system, or of PyPI's `pgserver`.

A worker starts one at most. Where none can be started, what needs it is skipped with the reason.
`LLAMA_TEST_POSTGRES=off` plays such a machine; a folder names the one with `initdb` and `postgres` in it.
https://www.postgresql.org/docs/current/app-postgres.html
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from tests.support.stack_home import reserved_port

VARIABLE = "LLAMA_TEST_POSTGRES"
_LIMIT_S = 60.0
_numbers = count()


@dataclass
class PostgresServer:
    """A server whose databases need no password. folder: its data. durable: whether what it acknowledges is on disk."""

    programs: Path
    folder: Path
    port: int
    user: str | None
    durable: bool = False
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Returns once it accepts connections."""
        options = ["-D", str(self.folder), "-p", str(self.port), "-k", str(self.folder), "-c"]
        options += ["listen_addresses=127.0.0.1", "-c", f"fsync={'on' if self.durable else 'off'}"]
        with (self.folder.parent / "log").open("ab") as log:
            self._process = self._popen(["postgres", *options], stdout=log)
        ready = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"]
        for _ in range(int(_LIMIT_S) * 10):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            try:
                self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError(f"PostgreSQL did not start: {(self.folder.parent / 'log').read_text()[-2000:]}")

    def stop(self, signal: str = "INT") -> None:
        """INT ends every connection at once; QUIT as a crash does."""
        if self._process is None:
            return
        subprocess.run(["kill", f"-{signal}", str(self._process.pid)], check=True)
        self._process.wait(_LIMIT_S)
        self._process = None

    def make(self) -> None:
        """The files of a new server."""
        command = ["initdb", "-D", str(self.folder), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8"]
        made = self._popen([*command, "--locale=C.UTF-8"], stdout=subprocess.PIPE)
        said, _ = made.communicate(timeout=_LIMIT_S)
        assert made.returncode == 0, said.decode()

    def database(self) -> str:
        """The URL of a new database."""
        name = f"test_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def run(self, sql: str, database: str = "postgres") -> str:
        """What `psql` says to it, without decoration."""
        command = [str(self.programs / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]
        command += ["-p", str(self.port), "-U", "postgres", "-d", database.rpartition("/")[2], "-c", sql]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _popen(self, command: list[str], *, stdout: int | object) -> subprocess.Popen[bytes]:
        program, *options = command
        return subprocess.Popen(
            [str(self.programs / program), *options],
            stdout=stdout,  # type: ignore[arg-type]  # a file
            stderr=subprocess.STDOUT,
            cwd="/",
            user=self.user,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )


@contextmanager
def new_server(*, durable: bool = False, extension: str = "") -> Iterator[PostgresServer]:
    """A server of one's own, which may be stopped and started. extension: one that it must have. Skips where none can
    be started.
    """
    programs = _programs(extension)
    user = None
    if os.geteuid() == 0:  # it refuses to run as root
        user = next((name for name in ("postgres", "nobody") if _is_user(name)), None)
        if user is None:
            pytest.skip("PostgreSQL refuses root, and there is no user `postgres` or `nobody`")
    # Not below pytest's own folder, into which no other user can look.
    top = Path(tempfile.mkdtemp(prefix="llama-postgres-"))
    try:
        if user is not None:
            shutil.chown(top, user)
        with reserved_port() as port:
            server = PostgresServer(programs, top / "data", port, user, durable)
            server.make()
            server.start()
            try:
                yield server
            finally:
                server.stop("QUIT")
    finally:
        shutil.rmtree(top)


@pytest.fixture(scope="session")
def postgres_server(note: Callable[[str], None]) -> Iterator[PostgresServer]:
    """A server for all tests of a worker, each of which makes a database of its own."""
    with new_server() as server:
        version = subprocess.run([server.programs / "postgres", "-V"], capture_output=True, text=True, check=True)
        note(f"PostgreSQL: {version.stdout.strip()}")
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """A new database."""
    return postgres_server.database()


def _programs(extension: str = "") -> Path:
    chosen = os.environ.get(VARIABLE)
    if chosen == "off":
        pytest.skip(f"{VARIABLE}=off")
    found = [Path(chosen)] if chosen else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path).resolve().parent)
    package = importlib.util.find_spec("pgserver")
    if package is not None and package.submodule_search_locations:
        found.append(Path(package.submodule_search_locations[0]) / "pginstall/bin")
    for folder in found:
        is_whole = all((folder / name).exists() for name in ("initdb", "postgres", "psql", "pg_isready"))
        if is_whole and (not extension or _has(folder, extension)):
            return folder
    what = f"PostgreSQL server with `{extension}`" if extension else "PostgreSQL server"
    pytest.skip(f"there is no {what}: install Debian's `postgresql`, or `pgserver` from PyPI, which has `vector`")


def _has(programs: Path, extension: str) -> bool:
    asked = subprocess.run([programs / "pg_config", "--sharedir"], capture_output=True, text=True, check=False)
    return Path(asked.stdout.strip(), "extension", f"{extension}.control").exists()


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
