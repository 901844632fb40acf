"""`llama stack show-provider`: a provider's spec and settings, without its packages."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import yaml

from runtime.config.loading import parse_run_config
from runtime.discovery import built_in
from runtime.stack.plan import plan
from tests.support.command_runner import Cli
from tests.support.schemas import conform


def shown(cli: Cli, *arguments: str) -> list[dict[str, Any]]:
    result = cli("stack", "show-provider", *arguments, "--json")
    assert (result.code, result.err) == (0, "")
    conform(result.json(), "stack-show-provider")
    rows: list[dict[str, Any]] = result.json()
    return rows


@pytest.mark.parametrize("kind", sorted({spec.provider_type for spec in built_in().specs}))
def test_every_provider_can_be_shown(kind: str, cli: Cli) -> None:
    providers = shown(cli, kind)
    assert {provider["api"] for provider in providers} == {
        spec.api for spec in built_in().specs if spec.provider_type == kind
    }
    for provider in providers:
        assert all(setting["type"] and setting["type"] != "anything" for setting in provider["config"])
        assert all(setting["description"] for setting in provider["config"]), kind


def test_settings_are_those_of_the_config_model(cli: Cli) -> None:
    [provider] = shown(cli, "inline::meta-reference")
    settings = {setting["name"]: setting for setting in provider["config"]}
    assert settings["model"] | {"description": ""} == {
        "name": "model",
        "type": "text",
        "default": "SmolLM2-135M-Instruct",
        "description": "",
        "secret": False,
        "required": False,
    }
    [remote] = shown(cli, "groq")
    secrets = [setting["name"] for setting in remote["config"] if setting["secret"]]
    assert (remote["provider_type"], secrets) == ("remote::groq", ["api_key"])


@pytest.mark.parametrize("kind", ["remote::groq", "remote::vllm", "inline::meta-reference"])
def test_the_block_to_copy_is_valid_in_a_run_config(kind: str, cli: Cli) -> None:
    [provider] = shown(cli, kind)
    text = f"version: 2\ndistro_name: mine\n{provider['sample']}"
    environment = {provider["enabled_by"] or "X": "http://there"}
    planned = plan(parse_run_config(text, env=environment))
    assert kind in {one.spec.provider_type for one in planned.providers}
    assert yaml.safe_load(text)["providers"]["inference"][0]["provider_type"] == kind


def test_no_package_of_the_provider_is_loaded(cli: Cli) -> None:
    before = set(sys.modules)
    shown(cli, "inline::sentence-transformers")
    new = {name.partition(".")[0] for name in set(sys.modules) - before}
    assert new & {"torch", "transformers", "sentence_transformers", "numpy"} == set()


def test_an_older_type_leads_to_the_provider(cli: Cli) -> None:
    types = {spec.provider_type for spec in built_in().specs}
    aliased = next(spec for spec in built_in().specs if spec.aliases and spec.aliases[0] not in types)
    assert shown(cli, aliased.aliases[0])[0]["provider_type"] == aliased.provider_type


def test_words_for_a_person_and_names_alone(cli: Cli) -> None:
    result = cli("stack", "show-provider", "groq")
    assert (result.code, result.err) == (0, "")
    assert "turned on by  GROQ_API_KEY\n" in result.out
    assert "\napi_key\ttext\t" in result.out
    assert "    provider_type: remote::groq\n" in result.out
    assert cli("stack", "show-provider", "groq", "-q").out.split()[:2] == ["base_url", "api_key"]


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["remote::grok"], "there is no provider `remote::grok`", "did you mean `remote::groq`"),
        (["groq", "--api", "models"], "there is no provider `groq` of models", "list-providers"),
        (["groq", "--api", "infrence"], "there is no API `infrence`", "did you mean `inference`"),
    ],
)
def test_what_there_is_not_is_usage(arguments: list[str], message: str, hint: str, cli: Cli) -> None:
    result = cli("stack", "show-provider", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err and hint in result.err
