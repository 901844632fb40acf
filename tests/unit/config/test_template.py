"""The distributions that come with us."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime import discovery
from runtime.config import template
from runtime.config.loading import parse_run_config
from runtime.config.rendering import render
from runtime.errors import ConfigInvalid, NotFound
from runtime.stack.plan import plan

NAMES = [
    "bedrock", "cerebras", "ci-tests", "dell", "fireworks", "groq", "llama-api", "meta-reference-gpu",
    "meta-reference-quantized-gpu", "nvidia", "oci", "ollama", "open-benchmark", "passthrough", "postgres-demo",
    "remote", "remote-vllm", "sambanova", "starter", "starter-gpu", "tgi", "together", "vllm", "watsonx",
]  # fmt: skip


def test_names_and_summaries_are_those_of_the_files() -> None:
    assert template.template_names() == NAMES
    for summary in template.template_summaries():
        loaded = template.load_template(summary.name)
        assert (summary.name, summary.summary) == (loaded.name, loaded.summary)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("startr", "did you mean `starter` or `starter-gpu`?"),
        ("zzz", f"there are {', '.join(NAMES)}"),
    ],
)
def test_an_unknown_template_names_those_there_are(name: str, hint: str) -> None:
    with pytest.raises(NotFound) as raised:
        template.load_template(name)
    assert (raised.value.message, raised.value.hint) == (f"there is no template `{name}`", hint)


def test_a_template_that_is_wrong_tells_everything() -> None:
    text = "name: t\nsumary: x\ndefault_shield: [x]\nproviders: {a: x, b: [1, {provider_type: y, id: z}]}\n"
    text += "additional_pip_packages: [data==1 --no-deps, '?']\n"
    with pytest.raises(ConfigInvalid) as raised:
        template.parse_template(text, file="t.yaml")
    assert raised.value.message.split("\n  ") == [
        "the template has 7 problems",
        "t.yaml: sumary: unknown key `sumary`",
        "t.yaml: summary: expected text",
        "t.yaml: default_shield: expected text",
        "t.yaml: providers.a: expected a list of provider types",
        "t.yaml: providers.b[0]: expected a provider type, or a mapping that has one",
        "t.yaml: providers.b[1]: unknown key `id`",
        "t.yaml: additional_pip_packages[1]: `?` is not a requirement; write `name`, `name>=1` or"
        " `name==1.0 --no-deps`",
    ]


def test_packages_of_a_template_are_a_list() -> None:
    with pytest.raises(ConfigInvalid, match="additional_pip_packages: expected a list of requirements"):
        template.parse_template("name: t\nsummary: x\nadditional_pip_packages: data\n")


def test_templates_are_found_in_an_installed_package_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.__file__", str(tmp_path / "runtime" / "__init__.py"))
    with pytest.raises(NotFound) as raised:
        template.find_templates_dir()
    assert raised.value.hint == f"looked at {tmp_path}/llama_cli/templates and {tmp_path}/templates"
    for place in (tmp_path / "templates", tmp_path / "llama_cli" / "templates"):
        place.mkdir(parents=True)
        (place / "run.yaml.j2").write_text("")
        assert template.find_templates_dir() == place


def test_every_provider_that_a_template_names_exists() -> None:
    built_in = {(spec.api, kind) for spec in discovery.built_in().specs for kind in (spec.provider_type, *spec.aliases)}
    named = {
        (api, choice.provider_type)
        for name in NAMES
        for api, choices in template.load_template(name).providers.items()
        for choice in choices
        if choice.provider_type != template.ALL_REMOTE
    }
    assert named <= built_in


@pytest.mark.parametrize(
    ("name", "given", "dtype"),
    [
        ("meta-reference-gpu", {}, "bf16"),
        ("meta-reference-gpu", {"QUANTIZATION_TYPE": "fp8_mixed"}, "fp8_mixed"),
        ("meta-reference-quantized-gpu", {}, "fp8"),
        ("meta-reference-quantized-gpu", {"QUANTIZATION_TYPE": "bf16"}, "bf16"),
    ],
)
def test_a_variable_says_how_a_gpu_keeps_weights(name: str, given: dict[str, str], dtype: str) -> None:
    text = render(name, specs=discovery.built_in().specs)
    run = parse_run_config(text, env={"INFERENCE_MODEL": "/models/mine", **given})
    [engine] = [one for one in plan(run).providers if one.spec.provider_type == "inline::meta-reference"]
    found = engine.config.model_dump()
    assert (found["model"], found["device"], found["dtype"]) == ("/models/mine", "cuda", dtype)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of templates, with nothing in it."""
    monkeypatch.setattr(template, "find_templates_dir", lambda: tmp_path)
    return tmp_path


def test_a_template_has_what_it_extends_where_it_says_nothing_else(folder: Path) -> None:
    (folder / "base.yaml").write_text(
        "summary: none\nproviders: {files: [inline::a], safety: [inline::b]}\nenv: {A: a, B: b}\ndefault_shield: s\n"
    )
    (folder / "middle").mkdir()
    (folder / "middle" / "template.yaml").write_text(
        "name: middle\nsummary: The middle\nextends: base\nproviders: {inference: [inline::c]}\n"
    )
    found = template.parse_template(
        "name: top\nsummary: The top\nextends: middle\nproviders: {safety: [], inference: [remote]}\nenv: {B: other}\n"
    )
    assert (found.name, found.summary, found.default_shield) == ("top", "The top", "s")
    types = {api: [choice.provider_type for choice in choices] for api, choices in found.providers.items()}
    assert types == {"inference": ["remote"], "files": ["inline::a"], "safety": []}
    assert found.env == {"A": "a", "B": "other"}
    assert list(types) == ["inference", "files", "safety"], "its own first, then as in what it extends"


@pytest.mark.parametrize(
    ("extends", "message"),
    [
        ("nobody", "extends: there is no `nobody` to extend"),
        ("../base", r"extends: there is no `\.\./base` to extend"),
        ("[1]", r"extends: there is no `\[1\]` to extend"),
        ("circle", "extends: `circle` extends itself"),
    ],
)
def test_what_cannot_be_extended_is_said(folder: Path, extends: str, message: str) -> None:
    (folder / "circle.yaml").write_text("extends: circle\n")
    with pytest.raises(ConfigInvalid, match=message):
        template.parse_template(f"name: t\nsummary: x\nextends: {extends}\n")


def test_what_is_extended_may_say_no_name_and_no_summary(folder: Path) -> None:
    (folder / "base.yaml").write_text("name: base\nsummary: The base\n")
    with pytest.raises(ConfigInvalid) as raised:
        template.parse_template("extends: base\n", file="t.yaml")
    assert "t.yaml: name: expected text" in raised.value.message
    assert "t.yaml: summary: expected text" in raised.value.message
