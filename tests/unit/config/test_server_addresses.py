"""The address of a server is checked where it is configured, so that a wrong one is known before anything is built."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from runtime import discovery
from runtime.config.loading import parse_run_config
from runtime.config.provider_settings import config_model
from runtime.errors import ConfigInvalid
from runtime.spec import Spec
from runtime.stack.plan import plan

RUN_YAML = """\
distro_name: x
providers:
  inference:
  - {provider_id: there, provider_type: remote::ollama, config: {base_url: "${env.OLLAMA_URL:=http://localhost:1}"}}
"""


def addresses_of(model: type[BaseModel]) -> list[str]:
    return [name for name in model.model_fields if name in ("uri", "location") or name.endswith("url")]


FIELDS = [
    pytest.param(spec, name, id=f"{spec.api}-{spec.provider_type}-{name}")
    for spec in discovery.built_in().specs
    for name in addresses_of(config_model(spec))
]


@pytest.mark.parametrize(("spec", "name"), FIELDS)
@pytest.mark.parametrize("given", ["htp://x", "http://", "http://x:port", "http://[::1", "ftp://localhost/v1"])
def test_what_is_no_address_is_refused_in_every_provider(spec: Spec, name: str, given: str) -> None:
    with pytest.raises(ValidationError) as refused:
        config_model(spec).model_validate({name: given})
    assert (name,) in [error["loc"] for error in refused.value.errors()]


@pytest.mark.parametrize("given", ["localhost:11434", "htp://user:secret@x", "http:/x"])
def test_it_is_said_what_an_address_is_and_where_the_wrong_one_comes_from(given: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        plan(parse_run_config(RUN_YAML, env={"OLLAMA_URL": given}))
    [problem] = refused.value.problems
    assert problem.path == "providers.inference[0].config.base_url"
    assert problem.message.startswith("must be an address that begins with `https://` or `http://`, got `")
    assert "secret" not in str(refused.value) and problem.hint == "the value comes from `OLLAMA_URL`"


@pytest.mark.parametrize("given", ["http://localhost:11434", "https://[::1]:8000/v1", "http://user:secret@proxy/x"])
def test_what_is_one_is_taken(given: str) -> None:
    assert plan(parse_run_config(RUN_YAML, env={"OLLAMA_URL": given}))
