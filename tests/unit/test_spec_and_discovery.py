"""Facts of providers as data, and finding them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime import discovery
from runtime.apis._api import Api
from runtime.errors import Conflict
from runtime.providers.inference._openai_compatible.spec import OpenAICompatible, openai_compatible
from runtime.spec import inline, remote
from tests.support.examples import lamps
from tests.support.examples.lamps import LAMP


def test_kind_and_name_are_read_from_the_type() -> None:
    assert (inline("a-b", summary="", adapter="").kind, remote("c", summary="", adapter="").name) == ("inline", "c")


def test_a_vendor_with_key_and_address_is_turned_on_by_its_key() -> None:
    spec = openai_compatible("acme-ai", summary="", base_url="https://api.acme.test/v1", api_key_env="ACME_API_KEY")
    assert spec.sample_config == {
        "base_url": "${env.ACME_AI_BASE_URL:=https://api.acme.test/v1}",
        "api_key": "${env.ACME_API_KEY:=}",
    }
    assert (spec.enabled_by, spec.key_env) == ("ACME_API_KEY", "ACME_API_KEY")
    base_url = "https://api.acme.test/v1"
    assert spec.facts == OpenAICompatible(base_url=base_url, base_url_env="ACME_AI_BASE_URL", key_required=True)


def test_a_server_in_the_house_is_turned_on_by_its_address_and_needs_no_key() -> None:
    spec = openai_compatible("acme", summary="", base_url_env="ACME_URL", api_key_env="ACME_KEY", enabled_by="ACME_URL")
    assert (spec.enabled_by, spec.key_env, spec.facts.key_required) == ("ACME_URL", None, False)


@pytest.mark.parametrize(
    ("base_url", "path"),
    [("https://api.acme.test/compat/v2", "/compat/v2"), ("https://api.acme.test", ""), (None, "/v1")],
)
def test_an_address_of_the_user_s_without_a_path_gets_the_vendor_s_own(base_url: str | None, path: str) -> None:
    spec = openai_compatible("acme", summary="", base_url=base_url, base_url_env="ACME_URL")
    assert spec.facts.version_path == path


def test_specs_know_their_api_and_module() -> None:
    found = {(spec.api, spec.provider_type): spec.module for spec in discovery.built_in().specs}
    assert found["inference", "remote::llama-cpp-server"] == "runtime.providers.inference.llama_cpp_server"
    assert found["inspect", "inline::builtin"] == "runtime.providers.inspect.builtin"


def test_an_older_type_finds_its_provider() -> None:
    for spec in discovery.built_in().specs:
        for alias in (spec.provider_type, *spec.aliases):
            assert discovery.built_in().by_type[spec.api, alias] is spec


def test_a_summary_is_the_docstring_s_first_line() -> None:
    summaries = {api.api: api for api in discovery.api_summaries()}
    assert summaries["inference"].summary == "Chat completions, completions, embeddings and reranking"
    assert summaries["inference"].providers == sum(spec.api == "inference" for spec in discovery.built_in().specs)


def test_an_api_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        discovery.built_in().load_api("nonesuch")


def test_two_apis_do_not_register_what_the_providers_of_one_own() -> None:
    again = replace(LAMP, kind="bulb", config_key="bulbs")
    world = discovery.built_in().beside((*lamps.APIS, Api("bulbs", lamps.Lamps, resource=again)), ())
    with pytest.raises(Conflict, match="The APIs bulbs and lamps both register what the providers of lighting own"):
        world.load_apis()


def test_a_reference_is_absolute_or_beside_the_spec() -> None:
    near = discovery.load(".config:MetaReferenceConfig", package="runtime.providers.inference.meta_reference")
    assert near is discovery.load(
        "runtime.providers.inference.meta_reference.config:MetaReferenceConfig", package="anything"
    )
