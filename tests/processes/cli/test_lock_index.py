"""The index that a lock names: what makes uv find in its cache what it has unpacked before, whatever the index says of
how long its files may be kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from llama_cli.packages.environment import Environment
from llama_cli.packages.lock import lock, with_index
from llama_cli.packages.pip_settings import read_settings
from llama_cli.packages.requirements import Requirements
from tests.processes.cli.conftest import MakeWheel

INDEX = "https://index.example/simple"
TORCH = """[[packages]]
name = "torch"
version = "2.0+cpu"
wheels = [{ url = "https://a.example/torch-2.0-py3-none-any.whl" }]

"""
SIX = """[[packages]]
name = "six"
version = "1.0"
wheels = [{ url = "https://a.example/six-1.0-py3-none-any.whl" }]
"""
OURS = """[[packages]]
name = "ours"
version = "1.0"
archive = { path = "/wheel/ours-1.0-py3-none-any.whl" }
"""


@pytest.fixture
def index(shelf: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of an index of what is on the shelf, which says nothing of caching; and the wheels asked of it."""
    asked: list[str] = []

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            *_, name = self.path.rstrip("/").split("/")
            if name.endswith(".whl"):
                asked.append(name)
                kind, body = "application/zip", (shelf / name).read_bytes()
            else:
                links = [f'<a href="/files/{wheel.name}">{wheel.name}</a>' for wheel in shelf.glob(f"{name}-*.whl")]
                kind, body = "text/html", "".join(links).encode()
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple", asked
        server.shutdown()


@pytest.fixture
def ours(make_wheel: MakeWheel, shelf: Path) -> Path:
    wheel = make_wheel("llama-stack-toolchain", "1.0", requires=['base; extra == "server"'])
    make_wheel("base", "1.0")
    beside = shelf.parent / wheel.name
    wheel.rename(beside)
    return beside


@pytest.mark.timeout(120)
def test_a_package_is_fetched_once(
    ours: Path, tmp_path: Path, index: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, asked = index
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    settings = read_settings({"PIP_INDEX_URL": address}, files=[])
    for name in ("one", "two"):
        environment = Environment(tmp_path / name)
        made = lock(Requirements(), ours, environment.folder, settings)
        assert f'index = "{address}"' in made.file.read_text()
        asked.clear()  # where the index gives no hashes, uv computes them for the lock
        with environment.held():
            environment.ensure(made)
        assert list(environment.path.glob("lib/python3*/site-packages/base"))
    assert asked == [], "the second environment is made from the cache"


def test_what_comes_from_elsewhere_names_none() -> None:
    text = f'lock-version = "1.0"\n\n{TORCH}{SIX}\n{OURS}'
    named = SIX.replace('"1.0"\n', f'"1.0"\nindex = "{INDEX}"\n')
    assert with_index(text, INDEX) == text.replace(SIX, named)
    assert with_index(text, None) == text


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", ["with-a-password", "several"])
def test_no_index_is_named_where_it_is_not_one_that_may_be(
    case: str, ours: Path, tmp_path: Path, index: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, _ = index
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    pip = {
        "with-a-password": {"PIP_INDEX_URL": address.replace("//", "//me:hush@")},
        "several": {"PIP_INDEX_URL": address, "PIP_EXTRA_INDEX_URL": address.replace("simple", "more")},
    }[case]
    text = lock(Requirements(), ours, tmp_path / "dist", read_settings(pip, files=[])).file.read_text()
    assert 'name = "base"' in text
    assert "index =" not in text
    assert "hush" not in text


@pytest.mark.timeout(120)
def test_a_lock_needs_no_python_on_the_path(
    ours: Path, tmp_path: Path, index: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv would look for one of its own, or fetch it."""
    address, _ = index
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "none"))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    made = lock(Requirements(), ours, tmp_path / "dist", read_settings({"PIP_INDEX_URL": address}, files=[]))
    assert f'index = "{address}"' in made.file.read_text()
