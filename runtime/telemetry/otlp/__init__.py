"""OTLP: what happens, sent to a collector as OpenTelemetry has it. https://opentelemetry.io/docs/specs/otlp/

`settings` reads OpenTelemetry's environment variables, `sending` has threads that send, and `spans` and `logs` make of
ours what the official exporters take. Those two and what they use import OpenTelemetry, which takes half a second: in
the thread that sends.
"""
