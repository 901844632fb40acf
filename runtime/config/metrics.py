"""Whether there are metrics, and on which port of their own: the run config's section, variables and what is there."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.config.sections import MetricsConfig, TelemetryConfig
from runtime.errors import ConfigInvalid, Problem

_PREFIXES = ("LLAMA_STACK_METRICS_", "OGX_METRICS_")
_ENABLED, _HOST, _PORT = "ENDPOINT_ENABLED", "HOST", "PORT"
_USUAL_PORT, _USUAL_HOST, _LAST_PORT = "9464", "127.0.0.1", 65535
"""Those of ogx, and of OpenTelemetry's exporters for Prometheus."""
_TRUE = ("1", "true", "yes", "on")


def metrics_wanted(section: TelemetryConfig, env: Mapping[str, str], *, by_default: bool) -> MetricsConfig | None:
    """What there is to be; None for nothing. by_default: whether there are metrics where nobody says anything of them.

    The section comes before the variables: what it says of a port holds. Raises ConfigInvalid for a variable that is no
    port.
    """
    if section.enabled is False:
        return None
    wanted = section.metrics
    if wanted is not None and not wanted.enabled:
        return None
    if (wanted is None or wanted.port is None) and _value(env, _ENABLED)[1].lower() in _TRUE:
        return MetricsConfig(port=_port(env), host=_value(env, _HOST)[1] or _USUAL_HOST)
    return wanted or (MetricsConfig() if by_default else None)


def _port(env: Mapping[str, str]) -> int:
    name, value = _value(env, _PORT)
    value = value or _USUAL_PORT
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= _LAST_PORT):
        raise ConfigInvalid([Problem(message=f"`{value[:100]}` is no port", path=name)], what="environment")
    return int(value)


def _value(env: Mapping[str, str], what: str) -> tuple[str, str]:
    """The variable that is set, and what it says; both empty for none."""
    return next(((name, env[name].strip()) for prefix in _PREFIXES if env.get(name := prefix + what)), ("", ""))
