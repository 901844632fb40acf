"""How often, how long and how much: what spans say, counted, for whoever asks every few seconds.

All of it is counted where spans are handed on, many at once, and not while a request waits. The names and what they are
split by are OpenTelemetry's (https://github.com/open-telemetry/semantic-conventions-genai and
https://opentelemetry.io/docs/specs/semconv/http/http-metrics/), and beside them those of llama-stack and ogx, for who
has dashboards of these.
"""
