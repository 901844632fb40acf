"""The way out and the way in: proxies, certificates, and the port that servers take.

Connects to proxies only. Says nothing of what lies behind them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from llama_cli.checkup.findings import Check, Finding, Patient, error, ok, warning
from llama_cli.servers import records
from runtime.addresses import Proxy, proxy_of_environment
from runtime.ports import holder_of

_LIMIT_S = 3.0
_ELSEWHERE = "example.com"
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PORT = 8321


def proxy(patient: Patient) -> Iterator[Finding]:
    """Each proxy of the environment: whether we can use its kind, and whether it is there."""
    found: dict[str, tuple[Proxy, list[str]]] = {}
    for scheme in ("https", "http"):
        named = proxy_of_environment(scheme, _ELSEWHERE, None)
        if named.url is not None:
            found.setdefault(named.url, (named, []))[1].append(f"{scheme}://")
    if not found:
        yield ok("proxy/none", "no proxy is set: other machines are reached directly")
    for url, (named, schemes) in found.items():
        what = f"the proxy {named.shown} for {' and '.join(schemes)}"
        if not named.is_usable:
            cause = "only plain HTTP proxies can be used"
            fix = "set it to an address that begins with `http://`"
            yield error("proxy/kind", f"{what} cannot be used", about=named.named_by, cause=cause, fix=fix)
            continue
        parts = urlsplit(url)
        try:
            socket.create_connection((parts.hostname or "", parts.port or 80), timeout=_LIMIT_S).close()
        except OSError as problem:
            cause = problem.strerror or str(problem)
            fix = f"correct {named.named_by}, or unset it"
            yield error("proxy/unreachable", f"{what} is not reached", about=named.named_by, cause=cause, fix=fix)
        else:
            yield ok("proxy/ok", f"{what} answers", about=named.named_by)


def certificates(patient: Patient) -> Iterator[Finding]:
    """The authorities that we trust for TLS."""
    import ssl

    for name in _AUTHORITIES:
        given = patient.environment.get(name)
        if given and not Path(given).exists():
            said = f"`{name}` names `{given}`, which is not there"
            yield error(
                "certificates/missing", said, about=name, cause="no server with TLS is trusted", fix=f"unset {name}"
            )
            return
    try:
        context = ssl.create_default_context()
    except (OSError, ssl.SSLError) as problem:
        named = " and ".join(name for name in _AUTHORITIES if patient.environment.get(name)) or "the system's files"
        yield error("certificates/broken", f"{named} cannot be read", cause=str(problem), fix="name a PEM file")
        return
    paths = ssl.get_default_verify_paths()
    folder = paths.capath if paths.capath and any(Path(paths.capath).iterdir()) else None
    count = context.cert_store_stats()["x509_ca"]
    if not count and folder is None:
        fix = "install `ca-certificates`, or name a bundle: `SSL_CERT_FILE=FILE`"
        yield error("certificates/none", "no certificate authority is trusted", fix=fix)
    else:
        where = paths.cafile or folder or "the system"
        yield ok("certificates/ok", f"{count or 'the'} certificate authorities of {where} are trusted")


def port(patient: Patient) -> Iterator[Finding]:
    """The port that a server takes when nothing else is said."""
    ours = next((record for record in records.alive_records() if record.port == _PORT), None)
    if ours is not None:
        yield ok("port/ours", f"port {_PORT} is `{ours.id}`'s")
        return
    if not _is_taken(_PORT):
        yield ok("port/free", f"port {_PORT} is free")
        return
    holder = holder_of(_PORT)
    said = f"port {_PORT} is taken" + (f" by {holder}" if holder else " by a process that the system does not name")
    yield warning(
        "port/taken", said, cause="it is no server of this Llama home", fix="llama stack run starter --port 0"
    )


def _is_taken(number: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that has ended is no holder
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return True
    return False


CHECKS = (
    Check(name="proxy", ask=proxy),
    Check(name="certificates", ask=certificates),
    Check(name="port", ask=port),
)
