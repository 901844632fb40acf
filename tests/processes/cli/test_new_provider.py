"""What `llama stack new-provider` has written, as it is: installed as a package it passes the suite of its API, and its
run.yaml is built and served.
"""

from __future__ import annotations

import subprocess
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from llama_cli.packages.pip_settings import read_settings
from llama_cli.packages.snapshot import PROJECT
from llama_cli.packages.uv import run_uv
from llama_cli.scaffold.kits import kinds_by_api
from runtime.conformance.form import HEADERS, field, file, form
from tests.support.small_server import SmallHandler, running, url_of
from tests.support.stack_home import Home, clean_environment

pytestmark = [pytest.mark.e2e, pytest.mark.network_registry]

KITS = [(api, kind) for api, kinds in kinds_by_api().items() for kind in kinds]
IDS = [f"{api}-{kind}".replace("_", "-") for api, kind in KITS]
LEAST = 10
"""Tests that a suite holds every provider of its API to."""


@pytest.fixture(scope="module")
def packages(home: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every package that can be generated, by its name."""
    folder = tmp_path_factory.mktemp("packages")
    for (api, kind), name in zip(KITS, IDS, strict=True):
        made = home("stack", "new-provider", f"acme-{name}", "--api", api, "--kind", kind, cwd=folder)
        assert made.code == 0, made.err
    return {name: folder / f"acme-{name}" for name in IDS}


@pytest.fixture(scope="module")
def wheels(packages: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel of each, built by the backend that its pyproject.toml names."""
    folder, settings = tmp_path_factory.mktemp("wheels"), read_settings()
    for package in packages.values():
        arguments = ["build", "--wheel", "--quiet", "--out-dir", str(folder), *settings.arguments, str(package)]
        doing = "build a generated package"
        run_uv(arguments, doing=doing, step=doing, folder=folder, environment=settings.environment)
    return folder


def check_passes(python: Path, folder: Path, **environment: str) -> None:
    """Its tests pass, and are as many as the suite must have."""
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"]
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = next(line for line in reversed(done.stdout.splitlines()) if " passed" in line)
    assert int(passed.split(" passed")[0].split()[-1]) >= LEAST, passed


def test_each_installed_package_passes_its_suite(packages: dict[str, Path], tmp_path: Path) -> None:
    """All in one environment, with the toolchain as its group `dev` names it: a copy of this tree, which uv would take
    from its cache as it was earlier.
    """
    settings, venv = read_settings(), tmp_path / "venv"
    python = venv / "bin" / "python"

    def uv(*arguments: str) -> None:
        doing = "install generated packages"
        run_uv(arguments, doing=doing, step=doing, folder=tmp_path, environment=settings.environment)

    uv("venv", "--python", sys.executable, "--quiet", str(venv))
    for folder in packages.values():
        wanted = [str(folder), "--group", f"{folder / 'pyproject.toml'}:dev", "--refresh-package", PROJECT]
        uv("pip", "install", "--quiet", "--python", str(python), *settings.arguments, *wanted)
    for folder in packages.values():
        check_passes(python, folder)


@pytest.fixture
def finding(tmp_path: Path, wheels: Path) -> Home:
    """A home whose uv finds the wheels."""
    home = Home(tmp_path / "home")
    home.environment["PIP_FIND_LINKS"] = str(wheels)
    return home


def test_inference_is_served_and_is_the_vendor_of_another(packages: dict[str, Path], finding: Home) -> None:
    with finding.served(str(packages["inference-inline"] / "run.yaml")) as vendor:
        [model] = vendor.models()
        assert model == "acme-inference-inline/echo"
        assert text_of(vendor.chat(model, "Hello there!")) == "You said: Hello there! "
        run, url = packages["inference-remote"] / "run.yaml", f"{vendor.url}/v1"
        with finding.served(
            str(run), ACME_INFERENCE_REMOTE_BASE_URL=url, ACME_INFERENCE_REMOTE_API_KEY="any"
        ) as server:
            assert server.models() == [f"acme-inference-remote/{model}"]
            assert text_of(server.chat(server.models()[0], "Hello there!")) == "You said: Hello there! "


def test_tools_are_served(packages: dict[str, Path], finding: Home) -> None:
    with finding.served(str(packages["tool-runtime-inline"] / "run.yaml")) as server:
        call = {"tool_name": "count_words", "kwargs": {"text": "one two three"}}
        assert server.post("/v1/tool-runtime/invoke", call)["content"] == "3 words"
    run, nowhere = packages["tool-runtime-remote"] / "run.yaml", "http://127.0.0.1:1"
    with finding.served(str(run), ACME_TOOL_RUNTIME_REMOTE_BASE_URL=nowhere) as server:
        assert [tool["name"] for tool in server.get("/v1/tools")["data"]] == ["define"]
        health = server.health("acme-tool-runtime-remote")
        assert health["state"] == "needs-key" and "ACME_TOOL_RUNTIME_REMOTE_API_KEY" in health["message"]


class Objects(SmallHandler):
    """A server of objects that forgets nothing."""

    objects: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        begin, _, end = self.headers.get("range", "").removeprefix("bytes=").partition("-")
        if self.path == "/":
            self.document({"status": "OK"})
        else:
            self.answer(self.objects[self.path][int(begin) : int(end) + 1], status=206)

    def do_PUT(self) -> None:
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        self.objects[self.path] = content
        self.answer(b"", status=201)


def test_files_are_served(packages: dict[str, Path], finding: Home) -> None:
    run, content = str(packages["files-remote"] / "run.yaml"), b"how a llama hums"
    with (
        running(ThreadingHTTPServer(("127.0.0.1", 0), Objects)) as objects,
        finding.served(run, ACME_FILES_REMOTE_BASE_URL=url_of(objects)) as server,
    ):
        body = form(field("purpose", "assistants"), file(content))
        kept = httpx.post(f"{server.url}/v1/files", content=body, headers=HEADERS, timeout=60).json()["id"]
        assert [*Objects.objects.values()] == [content]
        assert httpx.get(f"{server.url}/v1/files/{kept}/content", timeout=60).content == content


@pytest.mark.smollm2
def test_vectors_are_served_and_there_after_a_restart(packages: dict[str, Path], finding: Home, tmp_path: Path) -> None:
    run, state = str(packages["vector-io-inline"] / "run.yaml"), str(tmp_path / "state")
    with finding.served(run, "--state", state) as server:
        store = server.post("/v1/vector_stores", {"name": "notes"})["id"]
        documents = [{"document_id": "d", "content": "A llama hums.", "metadata": {}}]
        inserted = {"documents": documents, "vector_db_id": store}
        server.post("/v1/tool-runtime/rag-tool/insert", inserted, status=204)
        server.kill()
    with finding.served(run, "--state", state) as server:
        found = server.post(f"/v1/vector_stores/{store}/search", {"query": "Which animal hums?"})
        assert found["data"][0]["content"][0]["text"] == "A llama hums."


def text_of(answer: Any) -> str:
    return str(answer["choices"][0]["message"]["content"])
