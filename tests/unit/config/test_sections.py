"""The sections about the server itself: defaults, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runtime.config.sections import CorsConfig, LoggingConfig, ServerConfig


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


@pytest.mark.parametrize("seconds", [1e-9, "inf", 0, 1e9])
def test_a_time_that_is_never_or_always_over_is_refused(seconds: object) -> None:
    for name in ("registry_refresh_interval_seconds", "client_timeout_seconds"):
        with pytest.raises(ValidationError):
            ServerConfig.model_validate({name: seconds})


@pytest.mark.parametrize("port", [-1, 65536, "http"])
def test_a_port_that_is_none_is_refused(port: object) -> None:
    with pytest.raises(ValidationError):
        ServerConfig.model_validate({"port": port})


def test_log_levels_are_known_in_any_case() -> None:
    levels = LoggingConfig.model_validate({"category_levels": {"server": "DEBUG", "all": "warning"}}).category_levels
    assert levels == {"server": "debug", "all": "warning"}
    with pytest.raises(ValidationError, match="`server` has no level `loud`: the levels are debug, info, warning"):
        LoggingConfig.model_validate({"category_levels": {"server": "loud"}})
