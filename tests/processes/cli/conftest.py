"""Small real wheels for tests that let uv resolve and install without any network, and an index that never answers."""

from __future__ import annotations

import hashlib
import os
import socket
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from llama_cli.packages.pip_settings import UvSettings, read_settings
from tests.support.command_runner import cli

__all__ = ["cli"]


class MakeWheel(Protocol):
    def __call__(
        self, name: str, version: str, *, requires: Sequence[str] = (), files: Mapping[str, str] | None = None
    ) -> Path: ...


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A find-links folder, and no settings of the machine's own."""
    for name in os.environ:
        if name.startswith(("UV_", "PIP_", "LLAMA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    folder = tmp_path / "shelf"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(shelf: Path) -> UvSettings:
    """Only the shelf, no index."""
    return read_settings({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(shelf)}, files=[])


@pytest.fixture
def make_wheel(shelf: Path) -> MakeWheel:
    """Put `name-version` with one module, `name`, on the shelf; `requires` are its Requires-Dist lines."""

    def make(name: str, version: str, *, requires: Sequence[str] = (), files: Mapping[str, str] | None = None) -> Path:
        module = name.replace("-", "_")
        info = f"{module}-{version}.dist-info"
        extras = sorted({line.partition("extra == ")[2].strip("'\"") for line in requires if "extra == " in line})
        metadata = [
            *("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"),
            *(f"Provides-Extra: {extra}" for extra in extras),
            *(f"Requires-Dist: {line}" for line in requires),
        ]
        content = {
            **(files or {f"{module}/__init__.py": f"VERSION = {version!r}\n"}),
            f"{info}/METADATA": "\n".join(metadata) + "\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(
            f"{path},sha256={hashlib.sha256(text.encode()).hexdigest()},{len(text)}\n" for path, text in content.items()
        )
        wheel = shelf / f"{module}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in {**content, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
                archive.writestr(zipfile.ZipInfo(path), text)
        return wheel

    return make


@pytest.fixture
def hanging_index() -> Iterator[socket.socket]:
    """A listener that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield listener
