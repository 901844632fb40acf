"""The shape of a run config: defaults, what is refused, and how it is shown."""

from __future__ import annotations

from runtime.config.loading import parse_run_config
from runtime.config.run_config import RunFile, redacted


def test_the_least_config_is_complete() -> None:
    config = parse_run_config("distro_name: x", env={})
    assert (config.version, config.apis, config.providers, config.off) == (2, None, {}, [])
    assert (config.server.host, config.server.port, config.server.workers, config.server.cors) == (
        "127.0.0.1",
        8321,
        1,
        None,
    )
    assert list(config.storage.backends) == ["kv_default", "sql_default"]
    assert config.registered_resources == {}


def test_every_key_of_a_section_may_be_null() -> None:
    nulls = dict.fromkeys(RunFile.model_fields, None)
    assert RunFile.model_validate({**nulls, "distro_name": "x"}) == RunFile(distro_name="x")


SECRETS = """
distro_name: x
providers:
  inference:
  - provider_id: openai
    provider_type: remote::openai
    config: {api_key: "${env.KEY}", base_url: "https://u:p@h/v1", extra: {headers: {authorization: Bearer b}}}
  - provider_id: ${env.NOPE:+vllm}
    provider_type: remote::vllm
    config: {api_key: inline-secret}
registered_resources:
  models: [{model_id: m, metadata: {token: t}}]
"""


def test_nothing_secret_is_shown() -> None:
    config = parse_run_config(SECRETS, env={"KEY": "12345678"})
    shown = redacted(config)
    assert shown["providers"] == {
        "inference": [
            {
                "provider_id": "openai",
                "provider_type": "remote::openai",
                "config": {
                    "api_key": "********",
                    "base_url": "https://********@h/v1",
                    "extra": {"headers": {"authorization": "********"}},
                },
            }
        ]
    }
    assert shown["off"] == [
        {"api": "inference", "provider_id": "vllm", "provider_type": "remote::vllm", "enabled_by": ["NOPE"]}
    ]
    assert shown["registered_resources"]["models"][0]["metadata"] == {"token": "********"}
    assert not [word for word in ("12345678", "u:p", "Bearer", "inline-secret") if word in str(shown)]
    assert "12345678" not in str(config.uses)
