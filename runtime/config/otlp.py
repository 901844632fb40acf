"""What has to be installed for what the environment wants sent to a collector: the way by gRPC, which the base has not.

Knows only that much of OpenTelemetry's variables; `runtime.telemetry.otlp.settings` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.config.sections import TelemetryConfig

_REQUIREMENT = "opentelemetry-exporter-otlp-proto-grpc>=1.40"
_PROTOCOLS = tuple(f"OTEL_EXPORTER_OTLP_{signal}PROTOCOL" for signal in ("", "TRACES_", "METRICS_", "LOGS_"))


def packages_to_send(section: TelemetryConfig, env: Mapping[str, str]) -> tuple[str, ...]:
    """The requirements beside those of the base. section: of the run config."""
    if section.enabled is False or env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    return (_REQUIREMENT,) if any(env.get(name, "").strip().lower() == "grpc" for name in _PROTOCOLS) else ()
