"""What happened: traces of requests, with the calls that they led to.

A request is a trace. Its spans are the request itself, every call of a provider, every attempt to reach another server
and what else takes time below those; each knows the span that it belongs to. A span is cheap to begin and to end: what
is written down, counted or sent to a collector is done later, for many at once.

Names follow OpenTelemetry, https://opentelemetry.io/docs/specs/semconv/gen-ai/, and the context that travels in headers
is W3C's, https://www.w3.org/TR/trace-context/.
"""
