"""Whether there are metrics, and where: the run config, the variables, and what is there."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.config.loading import parse_run_config
from runtime.config.metrics import metrics_wanted
from runtime.config.sections import MetricsConfig, TelemetryConfig
from runtime.errors import ConfigInvalid

ON = {"LLAMA_STACK_METRICS_ENDPOINT_ENABLED": "true"}


@pytest.mark.parametrize(
    ("section", "env", "by_default", "wanted"),
    [
        ({}, {}, False, None),
        ({}, {}, True, (None, "127.0.0.1")),
        ({"enabled": False}, ON, True, None),
        ({"metrics": False}, ON, True, None),
        ({"metrics": True}, {}, False, (None, "127.0.0.1")),
        ({"metrics": {"port": 9000, "host": "0.0.0.0"}}, ON, False, (9000, "0.0.0.0")),
        ({"metrics": True}, ON, False, (9464, "127.0.0.1")),
        ({}, ON, False, (9464, "127.0.0.1")),
        ({}, {"OGX_METRICS_ENDPOINT_ENABLED": "1", "OGX_METRICS_PORT": "9000"}, False, (9000, "127.0.0.1")),
        ({}, ON | {"OGX_METRICS_PORT": "1", "LLAMA_STACK_METRICS_PORT": "2"}, False, (2, "127.0.0.1")),
        ({}, ON | {"LLAMA_STACK_METRICS_HOST": "0.0.0.0"}, False, (9464, "0.0.0.0")),
        ({}, {"LLAMA_STACK_METRICS_ENDPOINT_ENABLED": "no", "LLAMA_STACK_METRICS_PORT": "x"}, False, None),
    ],
)
def test_metrics_are_where_they_are_asked_for(
    section: dict[str, Any], env: dict[str, str], by_default: bool, wanted: tuple[int | None, str] | None
) -> None:
    found = metrics_wanted(TelemetryConfig.model_validate(section), env, by_default=by_default)
    assert found == (None if wanted is None else MetricsConfig(port=wanted[0], host=wanted[1]))


@pytest.mark.parametrize("port", ["70000", "-1", "http", "9" * 5000])
def test_a_variable_that_is_no_port_is_named(port: str) -> None:
    with pytest.raises(ConfigInvalid, match=f"OGX_METRICS_PORT: `{port[:100]}` is no port"):
        metrics_wanted(TelemetryConfig(), ON | {"OGX_METRICS_PORT": port}, by_default=False)


def test_the_section_of_a_run_config_is_read_and_so_is_that_of_llama_stack_0_3() -> None:
    config = parse_run_config("distro_name: a\ntelemetry: {enabled: true}\n", env={})
    assert (config.telemetry, config.warnings) == (TelemetryConfig(enabled=True), [])
    config = parse_run_config("distro_name: a\ntelemetry: {metrics: {port: 0}}\n", env={})
    assert config.telemetry.metrics == MetricsConfig(port=0)
    with pytest.raises(ConfigInvalid, match=r"telemetry\.metrics\.port"):
        parse_run_config("distro_name: a\ntelemetry: {metrics: {port: 70000}}\n", env={})
