"""Settings that are understood and cannot be honoured in this version: each is a problem, never dropped in silence.

A server without what its file asks for (authentication, a quota) is not the server that was asked for. Knows names;
shrinks as versions learn to honour them.
"""

from __future__ import annotations

from runtime.config import environment
from runtime.config.document import Node
from runtime.config.reading import Reading
from runtime.storage.backends import BACKENDS, types_of


def refuse_settings(reading: Reading) -> None:
    """Note each setting that cannot be honoured, and take it out, so that it is not reported a second time."""
    for key in ("external_providers_dir", "external_apis_dir"):
        node = reading.top.get(key)
        if node and not reading.is_empty(node):
            reading.problem("external providers are not available in this version", node, hint="remove it")
    providers = reading.top.get("providers")
    for entries in (providers.mapping or {}).values() if providers else ():
        for entry in entries.items or []:
            module = entry.get("module")
            if module and not reading.is_empty(module):
                reading.problem("external providers are not available in this version", module, hint="remove `module`")
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
    count = environment.coerce((result.text if result else workers.text) or "") if workers else None
    if workers and isinstance(count, int | float) and count > 1:
        reading.problem("more than one worker is not available in this version", workers, hint="`workers: 1`")


def _auth_is_off(reading: Reading, auth: Node) -> bool:
    """Null, nothing in it, or a provider type that comes out empty (how samples make authentication optional)."""
    if auth.mapping is None:
        return reading.is_empty(auth)
    kind = auth.get("provider_config", "type")
    if kind is not None:
        return reading.is_empty(kind)
    return not any(_says_something(reading, node) for node in auth.mapping.values())


def _says_something(reading: Reading, node: Node) -> bool:
    if node.mapping is not None:
        return any(_says_something(reading, below) for below in node.mapping.values())
    return bool(node.items) if node.items is not None else not reading.is_empty(node)


def refuse_backends(reading: Reading) -> None:
    """Note each backend whose type is known elsewhere and not here."""
    backends = reading.root.get("storage", "backends")
    for name, backend in (backends.mapping or {}).items() if backends else ():
        kind = backend.get("type")
        known = BACKENDS.get(str(kind.value)) if kind else None
        if kind is not None and known is not None and known.config is None:
            hint = f"use {' or '.join(f'`{one}`' for one in types_of(known.family))}"
            reading.problem(f"`{kind.value}` is not available in this version", kind, hint=hint)
            # One of the same family stands in, so that stores which name it are not reported as well.
            stand_in = {"type": Node(types_of(known.family)[0], kind.path, kind.line)}
            assert backends is not None and backends.mapping is not None
            backends.mapping[name] = Node(stand_in, backend.path, backend.line)
