"""Settings that we know but do not support in this version: each is a problem, never silently ignored.

A server must not run without what its file asks for (authentication, a quota). Knows names; shrinks as later versions
support more settings.
"""

from __future__ import annotations

from runtime.config import substitution
from runtime.config.document import Node
from runtime.config.reading import Reading


def refuse_settings(reading: Reading) -> None:
    """Report each setting that is not supported, and remove it so that it is not reported again."""
    _refuse_in_server(reading)


def _refuse_in_server(reading: Reading) -> None:
    server = reading.top.get("server")
    sections = server.mapping if server else None
    if not sections:
        return
    auth = sections.pop("auth", None)
    if auth and not _auth_is_off(reading, auth):
        reading.problem(
            "authentication is not available in this version", auth, hint="remove it, and listen on 127.0.0.1 only"
        )
    tenancy = sections.pop("tenancy", None)
    mode = reading.substituted(tenancy.get("mode")) if tenancy else None
    if tenancy and not reading.is_empty(tenancy) and not (mode and mode.text == "disabled"):
        reading.problem("tenancy is not available in this version", tenancy, hint="remove it")
    for key, what in (("quota", "a quota"), ("tls_config", "a choice of ciphers"), ("hsts_max_age", "HSTS")):
        node = sections.pop(key, None)
        if node and not reading.is_empty(node):
            reading.problem(f"{what} is not available in this version", node, hint="remove it")
    workers = sections.get("workers")
    result = reading.substituted(workers)
    count = substitution.coerce((result.text if result else workers.text) or "") if workers else None
    if workers and isinstance(count, int | float) and count > 1:
        reading.problem("more than one worker is not available in this version", workers, hint="`workers: 1`")


def _auth_is_off(reading: Reading, auth: Node) -> bool:
    """Null, empty, or with a provider type that is empty after substitution (samples make it optional that way)."""
    if auth.mapping is None:
        return reading.is_empty(auth)
    kind = auth.get("provider_config", "type")
    if kind is not None:
        return reading.is_empty(kind)
    return not any(_has_content(reading, node) for node in auth.mapping.values())


def _has_content(reading: Reading, node: Node) -> bool:
    if node.mapping is not None:
        return any(_has_content(reading, below) for below in node.mapping.values())
    return bool(node.items) if node.items is not None else not reading.is_empty(node)
