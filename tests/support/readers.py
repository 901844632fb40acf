"""Readers that do to their worker process what a hostile document may make a real one do. Run there, never here."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import BinaryIO

from runtime.documents.document import Block, Document
from runtime.providers.file_processors._readers.reading import Reading

KEPT: list[bytes] = []


def says(text: str) -> Document:
    return Document(blocks=(Block(kind="paragraph", text=text),))


def echo(file: BinaryIO, reading: Reading) -> Document:
    return says(f"{os.getpid()} {file.read().decode()}")


def tells(file: BinaryIO, reading: Reading) -> Document:
    """What it is asked."""
    asked = {name: getattr(reading, name) for name in ("filename", "content_type", "pages", "max_pages", "settings")}
    return says(json.dumps(asked))


def hang(file: BinaryIO, reading: Reading) -> Document:
    threading.Event().wait()
    raise AssertionError


def spin(file: BinaryIO, reading: Reading) -> Document:
    while True:
        pass


def grow(file: BinaryIO, reading: Reading) -> Document:
    while True:
        KEPT.append(bytes(8 * 1024 * 1024))


def keep(file: BinaryIO, reading: Reading) -> Document:
    """Holds more than half of what it may, and says which process it is."""
    KEPT.append(os.urandom(1024 * 1024) * 200)
    return says(str(os.getpid()))


def crash(file: BinaryIO, reading: Reading) -> Document:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def killed(file: BinaryIO, reading: Reading) -> Document:
    """As by a system that is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def leave(file: BinaryIO, reading: Reading) -> Document:
    os._exit(3)


def fail(file: BinaryIO, reading: Reading) -> Document:
    raise ZeroDivisionError("a bug")


def recurse(file: BinaryIO, reading: Reading) -> Document:
    return recurse(file, reading)


def missing(file: BinaryIO, reading: Reading) -> Document:
    import a_package_that_nobody_has  # type: ignore[import-not-found]

    return says(str(a_package_that_nobody_has))


def chatter(file: BinaryIO, reading: Reading) -> Document:
    """Writes where the worker's answers must not be."""
    print("{}" * 100, flush=True)
    os.write(1, b"\0" * 100)
    sys.stderr.write("quoted text of a document")
    return says("done")


def escape(file: BinaryIO, reading: Reading) -> Document:
    """What it could do outside: an address to connect to is its content. It says what it was refused."""
    port = int(file.read())
    tried = {
        "connect": lambda: socket.create_connection(("127.0.0.1", port), timeout=5),
        "fetch": lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5),
        "program": lambda: subprocess.run(["/bin/true"], check=False),
        "shell": lambda: os.system("true"),
        "fork": os.fork,
    }
    refused = []
    for name, attempt in tried.items():
        try:
            attempt()
        except OSError:
            refused.append(name)
    devices = Path("/proc/net/dev").read_text().count(":") if sys.platform == "linux" else 1
    keys = [name for name in os.environ if name.endswith("_API_KEY")]
    return says(f"refused {' '.join(refused)}; {devices} devices; keys {keys}")
