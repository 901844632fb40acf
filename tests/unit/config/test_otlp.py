"""The package for sending by gRPC is one of a distribution's where the environment wants that, and only there."""

from __future__ import annotations

import pytest

from runtime.config.loading import parse_run_config
from runtime.stack.plan import plan

PACKAGE = "opentelemetry-exporter-otlp-proto-grpc>=1.40"
GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}


@pytest.mark.parametrize(
    ("env", "section", "is_wanted"),
    [
        ({}, "{}", False),
        (GRPC, "{}", True),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": " GRPC "}, "{}", True),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "{}", False),
        (GRPC | {"OTEL_SDK_DISABLED": "true"}, "{}", False),
        (GRPC, "{enabled: false}", False),
    ],
)
def test_what_the_environment_wants_sent_is_installed(env: dict[str, str], section: str, is_wanted: bool) -> None:
    planned = plan(parse_run_config(f"distro_name: x\nproviders: {{}}\ntelemetry: {section}\n", env=env))
    assert (PACKAGE in planned.packages, PACKAGE in planned.packages_in_replay) == (is_wanted, is_wanted)
