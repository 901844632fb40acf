"""What happened on this server, kept beside it: traces and their spans in DuckDB."""

from runtime.spec import NoEffect, inline, live

_KEPT_HERE = NoEffect("traces are kept in `storage.analytics`, and nowhere else yet")

SPEC = inline(
    "builtin",
    summary="Traces of requests and of what they led to, kept beside the server and asked for in SQL",
    adapter=".adapter:BuiltinTelemetry",
    config=".config:TelemetryConfig",
    aliases=("inline::meta-reference",),
    older={
        "service_name": NoEffect("traces are of this server alone"),
        "sinks": _KEPT_HERE,
        "sqlite_db_path": _KEPT_HERE,
        "otel_exporter_otlp_endpoint": _KEPT_HERE,
        "otel_trace_endpoint": _KEPT_HERE,
        "otel_metric_endpoint": _KEPT_HERE,
    },
    packages=("duckdb>=1.4",),
    analytics=("traces", "events"),
    may_use=("datasetio",),
    evidence=live("tested on a running server"),
)
