"""The shape of a run config: defaults, what is refused, and how it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.config.loading import parse_run_config
from runtime.config.run_config import CorsConfig, LoggingConfig, RunFile, ServerConfig, redacted


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


def test_cors_by_switch_is_this_machine_at_any_port() -> None:
    assert ServerConfig.model_validate({"cors": False}).cors is None
    assert ServerConfig.model_validate({"cors": True}).cors == CorsConfig(
        allow_origin_regex=r"https?://(localhost|127\.0\.0\.1)(:\d+)?", allow_methods=["*"], allow_headers=["*"]
    )


def test_cors_as_a_mapping_has_its_defaults() -> None:
    server = ServerConfig.model_validate({"cors": {"allow_origins": ["https://a"], "allow_credentials": True}})
    assert server.cors is not None
    assert server.cors.model_dump() == {
        "allow_origins": ["https://a"],
        "allow_origin_regex": None,
        "allow_methods": ["OPTIONS"],
        "allow_headers": [],
        "allow_credentials": True,
        "expose_headers": [],
        "max_age": 600,
    }


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"cors": {"allow_origins": ["*"], "allow_credentials": True}},
            "`allow_credentials` cannot go with the origin `*`: name the origins",
        ),
        (
            {"cors": {"allow_origin_regex": "("}},
            "not a regular expression: missing ), unterminated subpattern at position 0",
        ),
        ({"tls_certfile": "c"}, "`tls_certfile` and `tls_keyfile` go together"),
        ({"tls_cafile": "c"}, "`tls_cafile` needs `tls_certfile` and `tls_keyfile`"),
        ({"insecure": False}, "`insecure: false` needs `tls_certfile` and `tls_keyfile`"),
    ],
)
def test_a_server_that_contradicts_itself_is_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        ServerConfig.model_validate(section)
    assert [error["msg"] for error in raised.value.errors()] == [f"Value error, {message}"]


@pytest.mark.parametrize("port", [-1, 65536, "http"])
def test_a_port_that_is_none_is_refused(port: object) -> None:
    with pytest.raises(ValidationError):
        ServerConfig.model_validate({"port": port})


def test_log_levels_are_known_in_any_case() -> None:
    levels = LoggingConfig.model_validate({"category_levels": {"server": "DEBUG", "all": "warning"}}).category_levels
    assert levels == {"server": "debug", "all": "warning"}
    with pytest.raises(ValidationError, match="`server` has no level `loud`: the levels are debug, info, warning"):
        LoggingConfig.model_validate({"category_levels": {"server": "loud"}})


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
