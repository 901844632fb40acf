"""The directions of import, read from the source: what a package of ours may import of ours, and which library where.

Imports inside functions and under TYPE_CHECKING count like any other. The table is DESIGN.md, section 4.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.sources import tree_of

ROOT = Path(__file__).parents[2]

# package -> the packages of ours below `runtime` that it may import; itself is always among them
ALLOWED: dict[str, set[str]] = {
    "runtime.addresses": set(),
    "runtime.allowance": set(),
    "runtime.amazon_events": set(),
    "runtime.clock": set(),
    "runtime.concurrently": set(),
    "runtime.durations": set(),
    "runtime.errors": set(),
    "runtime.own_process": set(),
    "runtime.ports": set(),
    "runtime.redaction": set(),
    "runtime.ids": {"clock"},
    "runtime.outage": {"clock"},
    "runtime.invalid": {"errors", "redaction", "similar", "stdio"},
    "runtime.rounds": {"errors"},
    "runtime.starting": {"errors"},
    "runtime.timing": set(),
    "runtime.similar": set(),
    "runtime.spec": set(),
    "runtime.sse": {"to_the_end"},
    "runtime.stdio": set(),
    "runtime.statistics": set(),
    "runtime.temporary": {"errors"},
    "runtime.to_the_end": set(),
    "runtime.trees": set(),
    "runtime.turns": set(),
    "runtime.unset": set(),
    "runtime.wrapped": set(),
    "runtime.apis": {"errors", "invalid", "similar", "sse"},
    "runtime.access": {"errors", "ids", "apis"},
    "runtime.context": {"access", "errors", "ids", "apis", "telemetry.trace_context", "timing"},
    "runtime.storage": {"access", "clock", "durations", "errors", "ids", "apis", "to_the_end"},
    "runtime.telemetry": {"access", "addresses", "apis", "clock", "errors", "ids", "redaction", "sse", "wrapped"},
    "runtime.catalog": {"access", "errors", "ids", "apis", "similar"},
    "runtime.config": {
        "errors", "spec", "discovery", "apis", "storage.backends", "storage.placement", "storage.settings",
        "http.network", "auth.config", "access", "invalid", "redaction", "similar",
    },
    "runtime.http": {"addresses", "clock", "context", "telemetry", "errors", "ids", "outage", "rounds", "sse", "unset"},
    "runtime.recording": {
        "amazon_events", "apis", "clock", "config.home", "context", "errors", "http", "ids", "provider", "redaction",
        "sse", "telemetry", "to_the_end", "trees", "wrapped",
    },
    "runtime.faults": {"amazon_events", "apis", "context", "durations", "errors", "http", "similar", "sse", "wrapped"},
    "runtime.documents": set(),
    "runtime.parsing": {"apis", "errors", "invalid"},
    "runtime.engine": {"allowance", "clock", "errors", "catalog", "own_process"},
    "runtime.provider": {"apis", "context", "storage", "http", "telemetry", "errors", "spec", "sse"},
    "runtime.providers": {
        "access", "addresses", "amazon_events", "apis", "clock", "concurrently", "provider", "http", "storage",
        "context", "durations", "ids", "errors", "invalid", "own_process", "parsing", "redaction", "rounds",
        "telemetry", "similar", "sse", "spec", "catalog", "documents", "starting", "statistics", "temporary",
        "to_the_end", "trees", "turns", "unset",
    },
    "runtime.auth": {"access", "http", "errors"},
    "runtime.discovery": {"spec", "errors"},
    "runtime.external": {
        "apis", "config", "discovery", "errors", "own_process", "redaction", "similar", "spec", "stdio",
    },
    "runtime.stack.order": set(),
    "runtime.stack.in_replay": {"apis", "spec"},
    "runtime.stack.api_relations": {"apis"},
    "runtime.stack.planned": {
        "stack.api_relations", "discovery", "spec", "config", "apis", "http.network", "errors", "redaction", "similar",
    },
    "runtime.stack.guardrails": {"stack.planned", "config", "apis", "similar"},
    "runtime.stack.placing": {"stack.planned", "discovery", "config", "apis", "storage.placement"},
    "runtime.stack.plan": {
        "stack.guardrails", "stack.in_replay", "stack.order", "stack.placing", "stack.planned", "stack.api_relations",
        "discovery", "external", "spec", "config", "apis", "errors", "similar",
    },
    "runtime.routing": {
        "addresses", "apis", "catalog", "clock", "concurrently", "config.safety", "provider", "storage", "access",
        "context", "telemetry", "errors", "ids",
        "outage", "redaction", "similar", "sse", "statistics", "to_the_end", "turns",
    },
    "runtime.stack": {
        "access", "clock", "context", "discovery", "external", "routing", "provider", "storage", "config", "apis",
        "errors", "faults", "http", "recording",
        "spec", "ids", "outage", "durations", "redaction", "similar", "telemetry",
    },
    "runtime.server": {
        "clock", "faults", "invalid", "own_process", "parsing", "ports", "recording", "redaction", "similar",
        "stack", "discovery", "routing", "provider", "storage", "config", "apis", "errors", "http",
        "spec", "sse", "stdio", "ids", "context", "access", "auth", "telemetry", "temporary",
    },
    "runtime.client": {
        "server", "stack", "config", "storage", "http", "discovery", "errors", "apis", "sse", "context", "stdio",
        "telemetry", "to_the_end",
    },
    "runtime.conformance": {
        "apis", "access", "config", "context", "discovery", "errors", "http", "ids", "provider",
        "providers.files._shared", "server", "spec", "stack", "storage",
    },
    "runtime.admin": {
        "clock", "stack", "provider", "apis", "config", "storage", "http", "discovery", "errors", "external",
        "own_process", "recording", "similar", "sse", "stdio",
    },
}  # fmt: skip

# library -> the only places that import it
ONLY_IN = {
    "pytest": ("runtime.conformance", "llama_cli.testing.plugin", "llama_cli.testing.settings"),
    "pytest_asyncio": ("runtime.conformance",),
    "jsonschema": ("runtime.conformance",),
    "litestar": ("runtime.server",),
    "uvicorn": ("runtime.server",),
    "uvloop": ("runtime.server",),
    "multipart": ("runtime.server.forms", "runtime.server.parts"),
    "websockets": ("runtime.server.websocket",),
    "aiohttp": ("runtime.http.live", "runtime.conformance.upstream"),
    "yarl": ("runtime.http.live",),
    "asyncpg": ("runtime.storage.postgres",),
    "httpx": ("runtime.http.bridge",),
    "httpx2": ("runtime.http.bridge", "runtime.providers.connectors.builtin"),
    "opentelemetry": ("runtime.telemetry.otlp",),
    "requests": (),
    "openai": (),
    "duckdb": (
        *(f"runtime.storage.analytics.{name}" for name in ("database", "files", "loading", "queries")),
        "runtime.providers.vector_io.duckdb.engine",
        "runtime.providers.datasetio.localfs.engine",
    ),
    "pymongo": ("runtime.storage.mongodb.collection",),
    "ray": ("runtime.providers._vendors.ray.pool", "runtime.providers._vendors.ray.process"),
    "redis": ("runtime.storage.redis.connections",),
    "torch": (
        *("runtime.engine", "runtime.providers.safety.prompt_guard.classifier"),
        *("runtime.providers.inference.transformers.runner", "runtime.providers.inference.transformers.scoring"),
    ),
    "llvmlite": ("runtime.engine",),
    "safetensors": ("runtime.engine",),
    "tokenizers": ("runtime.engine",),
    "transformers": (
        *("runtime.providers.safety.prompt_guard.classifier", "runtime.providers.inference.transformers.scoring"),
    ),
    "typer": ("llama_cli",),
    "rich": ("llama_cli",),
    "markdown_it": ("llama_cli.conversation.inline", "runtime.providers.file_processors._readers.markdown"),
    "pypdf": ("runtime.providers.file_processors._readers",),
    "tiktoken": ("runtime.documents.tokens", "runtime.engine"),
    "prompt_toolkit": ("llama_cli.conversation.editor",),
    "psutil": ("llama_cli.servers.process_group",),
    "autoevals": ("runtime.providers.scoring.braintrust.running",),
    "dotenv": ("llama_cli.servers.variables",),
}

LIGHT = {
    "addresses", "allowance", "clock", "durations", "ports", "redaction", "spec", "discovery", "catalog", "errors",
    "similar", "statistics", "stdio", "trees",
}  # fmt: skip
"""What the command line may import anywhere; `config` and `stack.plan` bring pydantic and belong inside commands."""


class Import(NamedTuple):
    """at_once: whether it is done when the module is imported."""

    module: str
    target: str
    line: int
    at_once: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


@cache
def is_module(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."))
    return place.with_suffix(".py").exists() or place.is_dir()


BLOCKS = ("body", "handlers", "orelse", "finalbody", "cases")
"""Where statements have statements below them."""


def is_type_checking(node: ast.AST) -> bool:
    """`TYPE_CHECKING` or `typing.TYPE_CHECKING`."""
    return "TYPE_CHECKING" in (getattr(node, "id", ""), getattr(node, "attr", ""))


def statements_of(node: ast.AST, *, at_once: bool = True) -> Iterator[tuple[ast.stmt, bool]]:
    """All statements below one, each with whether it stands in no function, and is not for type checking alone."""
    is_kept = not isinstance(node, ast.If) or not any(map(is_type_checking, ast.walk(node.test)))
    for inner in chain.from_iterable(getattr(node, block, ()) for block in BLOCKS):
        is_outside = at_once and is_kept and not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
        if isinstance(inner, ast.stmt):
            yield inner, is_outside
        yield from statements_of(inner, at_once=is_outside)


@cache
def imports_of(path: Path) -> tuple[Import, ...]:
    return tuple(_imports_of(path))


def _imports_of(path: Path) -> Iterator[Import]:
    module, is_package = module_of(path), path.name == "__init__.py"
    for node, at_once in statements_of(tree_of(path)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(module, name.name, node.lineno, at_once)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")
                above = above[: len(above) - node.level + is_package]
                base = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names:
                whole = f"{base}.{name.name}"
                yield Import(module, whole if is_module(whole) else base, node.lineno, at_once)


@cache
def all_imports() -> list[Import]:
    return [found for path in sources("runtime", "llama_cli") for found in imports_of(path)]


def lies_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def below_runtime(found: Import) -> str | None:
    """`apis.inference` for an import of `runtime.apis.inference`; None for what is not below `runtime`."""
    return found.target.removeprefix("runtime.") if found.target.startswith("runtime.") else None


def test_the_walk_sees_imports_in_functions_and_for_type_checking() -> None:
    seen = {(found.module, found.target, found.at_once) for found in all_imports()}
    assert ("runtime.http.connections", "runtime.http.live.transport", False) in seen
    assert ("runtime.http.tls", "ssl", False) in seen  # under TYPE_CHECKING
    assert ("runtime.stack.plan", "runtime.discovery", True) in seen


def test_every_module_of_the_runtime_has_its_place_in_the_table() -> None:
    modules = {module_of(path) for path in sources("runtime")} - {"runtime"}
    assert [module for module in sorted(modules) if not any(lies_in(module, package) for package in ALLOWED)] == []


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_down(package: str) -> None:
    own = package.removeprefix("runtime.")
    wrong = [
        str(found)
        for found in all_imports()
        if lies_in(found.module, package)
        and (target := below_runtime(found)) is not None
        and not any(lies_in(target, allowed) for allowed in {*ALLOWED[package], own})
        and not (package == "runtime.providers" and lies_in(target, "engine"))  # has a test of its own
    ]
    assert wrong == []


def test_no_files_import_each_other_in_a_circle() -> None:
    """Also in functions and for type checking: what two files want of each other belongs below both."""
    graph: dict[str, set[str]] = {found.module: set() for found in all_imports()}
    for found in all_imports():
        if found.target in graph:
            graph[found.module].add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


ENGINE = (
    ("checkpoints", "kernels"),
    ("memory",),
    ("layers", "requests"),
    ("models", "scheduling", "text"),
    ("encoders", "sampling"),
    ("running",),
)
"""The engine's folders, lowest first: a file imports from its own folder and from those of earlier rows."""


def test_the_engine_s_folders_import_one_way() -> None:
    row_of = {folder: number for number, row in enumerate(ENGINE) for folder in row}
    folders = {path.parent.name for path in sources("runtime/engine") if path.parent.name != "engine"}
    assert folders == {*row_of}
    wrong = []
    for found in all_imports():
        ours, theirs = (module.split(".")[2:] for module in (found.module, found.target))
        if lies_in(found.module, "runtime.engine") and lies_in(found.target, "runtime.engine") and len(ours) > 1:
            target = row_of.get(theirs[0], len(ENGINE))
            if ours[0] != theirs[0] and target >= row_of[ours[0]]:
                wrong.append(str(found))
    assert wrong == []


def test_storage_never_reads_the_request() -> None:
    assert [
        str(found)
        for found in all_imports()
        if lies_in(found.module, "runtime.storage") and found.target == "runtime.context"
    ] == []


def provider_of(module: str) -> tuple[str, str] | None:
    """(api, name) of a module below `runtime.providers`; None for the packages above."""
    parts = module.split(".")
    return (parts[2], parts[3]) if parts[:2] == ["runtime", "providers"] and len(parts) > 3 else None


def test_no_provider_imports_another() -> None:
    wrong = []
    for found in all_imports():
        ours, theirs = provider_of(found.module), provider_of(found.target)
        if ours is None or theirs is None or ours == theirs:
            continue
        shared = theirs[0] == ours[0] and theirs[1].startswith("_")
        if not shared and theirs[0] not in ("_vendors", "_earlier", "_background"):
            wrong.append(str(found))
    assert wrong == []


def test_only_providers_that_run_models_here_import_the_engine() -> None:
    importing = {
        provider_of(found.module)
        for found in all_imports()
        if lies_in(found.target, "runtime.engine") and provider_of(found.module)
    }
    assert importing == {
        *(("inference", name) for name in ("meta_reference", "sentence_transformers", "transformers")),
    }


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_in_its_place_only(library: str) -> None:
    wrong = [
        str(found)
        for found in all_imports()
        if lies_in(found.target, library) and not any(lies_in(found.module, place) for place in ONLY_IN[library])
    ]
    assert wrong == []


def test_nothing_imports_the_command_line() -> None:
    assert [
        str(found)
        for found in all_imports()
        if not lies_in(found.module, "llama_cli") and lies_in(found.target, "llama_cli")
    ] == []


_PURE = (
    *("apis._api", "apis._json_schema", "stack.plan", "stack.placing", "stack.weights", "engine.checkpoints.kinds"),
    *("external.known", "external.remembered", "faults.parsing"),
    *(f"recording.{name}" for name in ("documents", "library", "rules", "used", "manifest", "hiding", "said", "older")),
    *("recording.bodies", "recording.names", "sse", "telemetry.conventions", "telemetry.token_kinds"),
)
"""`engine.checkpoints.kinds` knows which folders hold a checkpoint, from names and first bytes. No one loads a library
but msgspec, which reads recordings, yaml, which reads their rules, and pydantic, by which a request has a schema.
"""


def test_the_command_line_imports_what_is_light_and_the_rest_in_functions() -> None:
    wrong = []
    for found in all_imports():
        if not lies_in(found.module, "llama_cli") or (target := below_runtime(found)) is None:
            continue
        area = target.split(".")[0]
        if area not in LIGHT | {"config"} and target not in _PURE:
            wrong.append(str(found))
    assert wrong == []


def test_a_spec_module_imports_only_the_spec_of_ours_and_nothing_heavy() -> None:
    from runtime import discovery

    light = {"runtime.spec", "__future__", "collections.abc", "typing", "dataclasses"}
    modules = {spec.module: light | shared_specs(spec.api) for spec in discovery.built_in().specs}
    shared = {
        module: light | shared_specs(spec.api)
        for spec in discovery.built_in().specs
        for module in shared_specs(spec.api)
    }
    assert shared, "vendors that speak OpenAI's protocol share one"
    known = modules | shared
    assert [
        str(found) for found in all_imports() if found.module in known and found.target not in known[found.module]
    ] == []


def shared_specs(api: str) -> set[str]:
    """What lies beside an adapter that several providers of an API share: how their specs are made, and their data."""
    folder = ROOT / "runtime" / "providers" / api
    return {module_of(path) for name in ("spec.py", "rules.py") for path in folder.glob(f"_*/{name}")}


def test_packages_know_no_servers() -> None:
    assert [
        str(found)
        for found in all_imports()
        if lies_in(found.module, "llama_cli.packages") and lies_in(found.target, "llama_cli.servers")
    ] == []


def test_a_config_module_imports_nothing_that_its_packages_bring() -> None:
    """A config is validated where the provider's packages are not installed: when building."""
    wrong = [
        str(found)
        for found in all_imports()
        if found.module.startswith("runtime.providers.") and found.module.endswith(".config")
        and found.target.split(".")[0] not in {*sys.stdlib_module_names, "pydantic", "runtime"}
    ]  # fmt: skip
    assert wrong == []


def files_of(module: str) -> Iterator[Path]:
    """What Python reads to import a module of this tree: its file, and those of the packages it lies in."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:length])
        yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())


def packages_of_unit_tests() -> set[str]:
    """As `scripts/_test_environment.py unit` installs them: those that are asked for, and what these need."""
    from runtime.storage.analytics.config import PACKAGES as ANALYTICS
    from runtime.storage.backends import BACKENDS

    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*stated["project"]["dependencies"], *stated["project"]["optional-dependencies"]["server"]]
    asked += [*stated["dependency-groups"]["unit"], *ANALYTICS]
    asked += chain.from_iterable(backend.packages for backend in BACKENDS.values())
    found = set[str]()
    while asked:
        requirement = Requirement(asked.pop())
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        found.add(name)
        with suppress(metadata.PackageNotFoundError):  # one for another platform
            for need in map(Requirement, metadata.requires(name) or ()):
                extras = [{"extra": extra} for extra in requirement.extras or {""}]
                if need.marker is None or any(map(need.marker.evaluate, extras)):
                    asked.append(str(need))
    return found


def test_unit_tests_import_at_once_what_their_environment_has() -> None:
    """`scripts/test unit` installs the group `unit`; where all tests run, more is there, and a slip is not seen."""
    files = [ROOT / "tests/conftest.py", *sources("tests/unit", "tests/architecture")]
    reached, wanted = set(files), dict[str, Import]()
    while files:
        for found in imports_of(files.pop()):
            top = found.target.partition(".")[0]
            if not found.at_once or top in sys.stdlib_module_names:
                continue
            if top in ("runtime", "llama_cli", "tests"):
                new = set(files_of(found.target)) - reached
                reached |= new
                files += new
            else:
                wanted.setdefault(top, found)
    assert len(reached) > 500
    installed, owners = packages_of_unit_tests(), metadata.packages_distributions()
    lacking = [
        str(found)
        for top, found in wanted.items()
        if installed.isdisjoint(canonicalize_name(name) for name in owners.get(top, ()))
    ]
    assert lacking == []
