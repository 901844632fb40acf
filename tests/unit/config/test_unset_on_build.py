"""A build needs only what packages hang on; a server needs the rest, and is told so."""

from __future__ import annotations

import pytest

from runtime.config.loading import parse_run_config
from runtime.config.run_config import RunConfig
from runtime.config.substitution import Use
from runtime.errors import ConfigInvalid
from runtime.stack.plan import plan

WHOLE = """\
distro_name: x
providers:
  inference:
  - provider_id: ${env.ID}
    provider_type: remote::openai
    config:
      api_key: ${env.KEY}
      base_url: ${env.URL}/v1
  - provider_id: other
    provider_type: inline::meta-reference
    config:
      device: ${env.DEVICE}
      model: ${env.MODEL}
registered_resources:
  models:
  - model_id: ${env.ALIAS}
    provider_id: ${env.ID}
storage:
  backends:
    kv_default: {type: kv_sqlite, db_path: "${env.DB}"}
  stores:
    metadata: {backend: "${env.BACKEND}"}
logging:
  category_levels: {all: "${env.LEVEL}"}
server:
  port: ${env.PORT}
  host: ${env.HOST_NAME}
  insecure: ${env.INSECURE}
  cors: ${env.CORS}
  allowed_hosts: ["${env.HOST_NAME}"]
  tls_certfile: ${env.CERT}
  tls_keyfile: ${env.CERT_KEY}
  registry_refresh_interval_seconds: ${env.SECONDS}
"""


def awaited(run: RunConfig) -> set[str]:
    return {use.variable for use in run.uses if use.is_awaited}


def test_whatever_is_unset_a_distribution_can_be_planned() -> None:
    run = parse_run_config(WHOLE, env={}, to_build=True)
    assert "torch>=2.8" in plan(run).packages
    assert awaited(run) == {
        *("ID", "KEY", "URL", "DEVICE", "MODEL", "ALIAS", "DB", "BACKEND", "LEVEL", "PORT", "HOST_NAME", "INSECURE"),
        *("CORS", "CERT", "CERT_KEY", "SECONDS"),
    }
    assert Use(path="server.port", line=26, variable="PORT", form="", is_set=False) in run.uses


def test_a_server_needs_every_one_of_them() -> None:
    with pytest.raises(ConfigInvalid) as raised:
        parse_run_config(WHOLE, env={})
    unset = {problem.message for problem in raised.value.problems}
    assert unset == {f"`{name}` is not set" for name in awaited(parse_run_config(WHOLE, env={}, to_build=True))}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("apis[0]", "apis: ['${env.X}']"),
        ("additional_pip_packages[0]", "additional_pip_packages: ['${env.X}']"),
        ("storage.backends.kv.type", "storage: {backends: {kv: {type: '${env.X}'}}}"),
        (
            "providers.inference[0].provider_type",
            "providers: {inference: [{provider_id: a, provider_type: '${env.X}'}]}",
        ),
    ],
)
def test_what_packages_hang_on_has_to_be_set(path: str, text: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        parse_run_config(f"distro_name: x\n{text}\n", env={}, to_build=True)
    [problem] = raised.value.problems
    assert (problem.path, problem.message) == (path, "`X` is not set")


def test_a_stand_in_hides_no_other_problem_and_makes_none() -> None:
    text = "distro_name: x\nserver:\n  port: ${env.PORT}\n  tls_certfile: /c\n  workers: many\n"
    with pytest.raises(ConfigInvalid) as raised:
        parse_run_config(text, env={}, to_build=True)
    assert [problem.path for problem in raised.value.problems] == ["server.workers"]
    with pytest.raises(ConfigInvalid, match="`tls_certfile` and `tls_keyfile` go together") as raised:
        parse_run_config(text.replace("many", "1"), env={}, to_build=True)
    assert len(raised.value.problems) == 1
