"""What holds for every API and every provider without exception: shapes, names, facts that must agree."""

from __future__ import annotations

import ast
import re
import typing
from collections import Counter
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest
from pydantic import AliasChoices, BaseModel, Field, SecretStr

from runtime import discovery
from runtime.apis._api import PROVIDER_ID
from runtime.apis._request import Request
from runtime.apis.responses.tool_kind import ToolKind
from runtime.apis.responses.tools import KINDS
from runtime.config.provider_settings import config_model
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible
from runtime.providers.responses.builtin.tools import TOOLS
from runtime.redaction import hides
from runtime.spec import Spec
from tests.support.sources import text_of, tree_of

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for package in ("runtime", "llama_cli") for path in (ROOT / package).rglob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "core", "base", "manager", "tools"}


def spec_id(spec: Spec) -> str:
    return f"{spec.api}/{spec.provider_type}"


@pytest.mark.parametrize("name", discovery.built_in().api_names)
def test_an_api_method_takes_one_request_and_says_what_it_does(name: str) -> None:
    api = discovery.built_in().load_api(name)
    operations = api.operations()  # raises TypeError for a method that takes anything else
    assert operations
    for operation in operations:
        assert issubclass(operation.request, Request)
        assert operation.summary.endswith("."), f"{name}.{operation.name} has no one-sentence docstring"


def test_every_public_method_of_an_api_has_a_route() -> None:
    for name in discovery.built_in().api_names:
        api = discovery.built_in().load_api(name)
        public = {
            method
            for method in vars(api.protocol)
            if not method.startswith("_") and callable(getattr(api.protocol, method))
        }
        assert public == {operation.name for operation in api.operations()}


def test_no_two_operations_share_a_path() -> None:
    mounted = Counter(
        (method, re.sub(r"{\w+}", "{}", path))
        for name in discovery.built_in().api_names
        for operation in discovery.built_in().load_api(name).operations()
        for method, path, _ in operation.route.mounts()
    )
    assert [place for place, count in mounted.items() if count > 1] == []


def test_a_path_calls_its_fields_by_one_name() -> None:
    """OpenAPI has one entry for a path, whatever its fields are called."""
    spelled: dict[str, set[str]] = {}
    for name in discovery.built_in().api_names:
        for operation in discovery.built_in().load_api(name).operations():
            for _, path, _ in operation.route.mounts():
                spelled.setdefault(re.sub(r"{\w+(:path)?}", "{}", path), set()).add(path)
    assert [paths for paths in spelled.values() if len(paths) > 1] == []


@pytest.mark.parametrize("name", discovery.built_in().api_names)
def test_a_body_has_an_example_that_its_model_accepts(name: str) -> None:
    for operation in discovery.built_in().load_api(name).operations():
        extra = operation.request.model_config.get("json_schema_extra") or {}
        examples = extra.get("examples", ()) if isinstance(extra, dict) else ()
        outside = {*operation.route.path_fields, *operation.query_fields}
        in_body = [field for name, field in operation.request.model_fields.items() if name not in outside]
        if operation.route.has_body and operation.route.body == "json" and any(one.is_required() for one in in_body):
            assert examples, f"{operation.request.__name__} has no `model_config = example(...)`"
        in_path = dict.fromkeys(operation.route.path_fields, "x")
        for example in examples:
            operation.request.model_validate(in_path | example)


def test_an_alias_has_the_fields_of_its_path() -> None:
    for name in discovery.built_in().api_names:
        for operation in discovery.built_in().load_api(name).operations():
            for _, path, _ in operation.route.mounts():
                fields = tuple(re.findall(r"{(\w+)(?::path)?}", path))
                assert fields == operation.route.path_fields, path


def test_an_api_is_called_as_its_file() -> None:
    assert [name for name in discovery.built_in().api_names if discovery.built_in().load_api(name).name != name] == []


def test_what_is_found_by_a_resource_is_served_by_an_api_that_has_them() -> None:
    apis = [discovery.built_in().load_api(name) for name in discovery.built_in().api_names]
    resources = [api.resource for api in apis if api.resource]
    served = {resource.served_by for resource in resources}
    assert len(served) == len(resources) and served <= {api.name for api in apis}
    for api in apis:
        keys = {operation.route.key for operation in api.operations()} - {None, PROVIDER_ID}
        assert not keys or api.name in served, f"{api.name} finds providers by {keys}, which nobody registers"


def test_only_an_api_with_a_resource_asks_the_registry() -> None:
    for name in discovery.built_in().api_names:
        api = discovery.built_in().load_api(name)
        asks = [operation for operation in api.operations() if operation.route.registry]
        assert bool(asks) == (api.resource is not None)
        for operation in asks:
            assert operation.route.registry == "list" or api.resource.id_field in operation.request.model_fields
            assert operation.route.registry != "list" or operation.route.returns is not None


@pytest.mark.parametrize("spec", discovery.built_in().specs, ids=spec_id)
def test_a_provider_is_called_as_its_file(spec: Spec) -> None:
    assert spec.module.rsplit(".", 1)[1].replace("_", "-") == spec.name


@pytest.mark.parametrize("spec", discovery.built_in().specs, ids=spec_id)
def test_a_spec_says_what_a_listing_shows(spec: Spec) -> None:
    assert spec.summary and not spec.summary.endswith(".") and "\n" not in spec.summary
    assert spec.evidence.proof == "unproven" or spec.evidence.note
    assert spec.api in discovery.built_in().api_names
    assert {*spec.needs, *spec.may_use} <= {*discovery.built_in().api_names}


@pytest.mark.parametrize("spec", discovery.built_in().specs, ids=spec_id)
def test_a_module_docstring_of_a_vendor_names_its_page(spec: Spec) -> None:
    folder = Path(*spec.module.split("."))
    file = ROOT / folder.with_suffix(".py")
    docstring = (
        ast.get_docstring(ast.parse((file if file.exists() else ROOT / folder / "__init__.py").read_text())) or ""
    )
    assert docstring
    if spec.kind == "remote":
        assert "https://" in docstring


def test_provider_types_and_aliases_are_unique() -> None:
    named = Counter(
        (spec.api, name) for spec in discovery.built_in().specs for name in (spec.provider_type, *spec.aliases)
    )
    assert [name for name, count in named.items() if count > 1] == []


@pytest.mark.parametrize("spec", discovery.built_in().specs, ids=spec_id)
def test_a_sample_config_is_made_of_settings_that_exist(spec: Spec) -> None:
    model = config_model(spec)
    assert set(spec.sample_config) <= set(model.model_fields)


@pytest.mark.parametrize(
    "spec", [spec for spec in discovery.built_in().specs if isinstance(spec.facts, OpenAICompatible)], ids=spec_id
)
def test_an_openai_compatible_vendor_can_be_turned_on_by_what_its_config_reads(spec: Spec) -> None:
    read = re.findall(r"\$\{env\.([A-Z][A-Z0-9_]*):=", str(dict(spec.sample_config)))
    assert len(read) == len(spec.sample_config), "every setting reads one variable, with a default"
    assert spec.enabled_by in read
    assert spec.key_env is None or spec.key_env in read
    assert spec.facts.base_url is None or spec.facts.base_url.startswith(("https://", "http://localhost"))
    assert spec.facts.base_url is None or not spec.facts.base_url.endswith("/")
    if spec.facts.key_required:
        assert spec.key_env is not None


@pytest.mark.parametrize("spec", [spec for spec in discovery.built_in().specs if spec.api == "vector_io"], ids=spec_id)
def test_a_vector_database_is_named_in_its_own_folder_alone(spec: Spec) -> None:
    """So that adding one touches nothing else. What settings of older systems are called now is said in one place."""
    names = (spec.module, *(f'"{name}"' for name in (spec.provider_type, *spec.aliases)))
    own, older = ROOT.joinpath(*spec.module.split(".")), ROOT / "runtime" / "config" / "older"
    others = [path for path in SOURCES if own not in path.parents and older not in path.parents]
    elsewhere = [other for other in discovery.built_in().specs if other.api != "vector_io"]
    shared = {name for other in elsewhere for name in (other.provider_type, *other.aliases)}
    wanted = [name for name in names if name.strip('"') not in shared]
    found = [path for path in others if any(name in text_of(path) for name in wanted)]
    assert found == []


RESPONSES = (ROOT / "runtime" / "apis" / "responses", ROOT / "runtime" / "providers" / "responses" / "builtin")
KNOWN_TO_THE_LOOP = {
    "function": "its calls are the caller's to answer, and written while the model speaks",
    "custom": "the same",
    "mcp": "its calls may be the caller's to allow, and its credentials are kept nowhere",
}


def test_both_sides_of_a_response_have_the_same_tools() -> None:
    assert [handler.kind for handler in TOOLS] == [*KINDS]


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.name not in KNOWN_TO_THE_LOOP], ids=lambda kind: kind.name
)
def test_a_tool_of_a_response_is_named_in_its_own_files_alone(kind: ToolKind) -> None:
    """So that adding one touches nothing else."""
    words = {*kind.names, *kind.includes, *(word for item in kind.items for word in (item.name, item.prefix))}
    named = re.compile("|".join(rf"[\"'`]{re.escape(word)}[\"'`]" for word in words))
    found = [
        path.relative_to(folder) for folder in RESPONSES for path in folder.rglob("*.py") if named.search(text_of(path))
    ]
    assert {path.parts[0] for path in found} == {"tools"} and len({path.stem for path in found}) == 1, found


@pytest.mark.parametrize("spec", discovery.built_in().specs, ids=spec_id)
def test_packages_are_requirements_with_a_bound(spec: Spec) -> None:
    for package in spec.packages:
        assert re.fullmatch(
            r"[A-Za-z0-9._-]+(\[[\w,-]+\])?(==|>=|~=)[\w.*,<>=!~]+(; sys_platform == '\w+')?( --no-deps)?", package
        ), package


def test_a_provider_that_computes_with_torch_names_it() -> None:
    by_it = ("runtime.engine", "import torch")
    for spec in discovery.built_in().specs:
        folder = ROOT.joinpath(*spec.module.split("."))
        uses = folder.is_dir() and any(word in text_of(path) for path in folder.glob("*.py") for word in by_it)
        assert uses == any(package.startswith("torch") for package in spec.packages), spec.provider_type


def test_a_remote_provider_says_whether_it_is_asked_over_http() -> None:
    """Where it is not, faults happen to those who call it."""
    wrong = []
    for spec in discovery.built_in().specs:
        texts = dict[str, str]()
        module, _, _ = spec.adapter.partition(":")
        _read_providers(resolve_name(module, spec.module) if module.startswith(".") else module, texts)
        asks = any("context.http" in text for text in texts.values())
        if spec.kind == "remote" and asks != spec.over_http:
            wrong.append(f"{spec.api}/{spec.provider_type}")
    assert wrong == ["files/remote::s3"]  # its credentials alone come over HTTP of ours


def _read_providers(module: str, texts: dict[str, str]) -> None:
    """A module below `runtime.providers`, and those that it imports from there."""
    place = ROOT / module.replace(".", "/")
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    if module in texts or not module.startswith("runtime.providers.") or not path.exists():
        return
    texts[module] = text_of(path)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            _read_providers(node.module, texts)


def test_no_module_is_called_by_a_name_that_says_nothing() -> None:
    assert [str(path.relative_to(ROOT)) for path in SOURCES if path.stem.lstrip("_") in VAGUE] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if (text := text_of(path)) and not text.startswith(('"""', 'r"""'))
    ]
    assert silent == []


def test_todo_marks_are_not_left_behind() -> None:
    marks = re.compile(r"#\s*(TODO|FIXME|XXX|HACK)\b")
    assert [str(path.relative_to(ROOT)) for path in SOURCES if marks.search(text_of(path))] == []


def models_of(annotation: object) -> Iterator[type[BaseModel]]:
    """The models in an annotation, at any depth of unions, lists and mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from models_of(inner)


def secrets_of(model: type[BaseModel]) -> Iterator[str]:
    """Every name under which a config may give a SecretStr, those of models inside it included."""
    for name, field in model.model_fields.items():
        if "SecretStr" in str(field.annotation):
            aliases = field.validation_alias
            choices = aliases.choices if isinstance(aliases, AliasChoices) else [aliases, field.alias]
            yield from {name, *(choice for choice in choices if isinstance(choice, str))}
        for inner in models_of(field.annotation):
            yield from secrets_of(inner)


@pytest.mark.parametrize("spec", discovery.built_in().specs, ids=spec_id)
def test_a_secret_of_a_config_goes_by_a_secret_s_name(spec: Spec) -> None:
    """`redact` knows names alone: a run config is shown before its models have read it."""
    assert [name for name in secrets_of(config_model(spec)) if not hides(name)] == []


def test_secrets_of_configs_are_found() -> None:
    class Inner(BaseModel):
        hush: SecretStr

    class Outer(BaseModel):
        inner: list[Inner] | None = None
        api_key: SecretStr | None = Field(None, validation_alias=AliasChoices("api_key", "psst"))

    assert {*secrets_of(Outer)} == {"hush", "api_key", "psst"}
    assert any([*secrets_of(config_model(spec))] for spec in discovery.built_in().specs)
