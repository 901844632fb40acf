"""What was said, in spans: only where it is asked for, since it is nobody's but its caller's.

`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` asks for it, as of other programs. Messages have the form of
OpenTelemetry's conventions, roles and parts; secrets as `runtime.redaction` knows them are masked, files are left out,
and of each attribute there are 64 KiB at most.
"""
