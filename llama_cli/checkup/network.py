"""The way out and the way in: proxies, certificates, and the port that servers take.

Connects to proxies only. Says nothing of what lies behind them.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from llama_cli.checkup.findings import Check, Distribution, Finding, Patient, error, ok, warning
from llama_cli.options import PORT_VARIABLES
from llama_cli.servers import records
from runtime.addresses import Proxy, proxy_of_environment
from runtime.errors import StackError
from runtime.ports import holder_of

_LIMIT_S = 3.0
_ELSEWHERE = "example.com"
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def proxy(patient: Patient) -> Iterator[Finding]:
    """Each proxy of the environment: whether we can use its kind, and whether it is there."""
    found: dict[str, tuple[Proxy, list[str]]] = {}
    for scheme in ("https", "http"):
        named = proxy_of_environment(scheme, _ELSEWHERE, None)
        if named.url is not None:
            found.setdefault(named.url, (named, []))[1].append(f"{scheme}://")
    if not found:
        yield ok("proxy/none", "no proxy is to be used: other machines are reached directly")
    for url, (named, schemes) in found.items():
        what = f"the proxy {named.shown} for {' and '.join(schemes)}"
        if not named.is_usable:
            cause = "only plain HTTP proxies can be used, and it is no address of one"
            fix = "write it as in `http://HOST:PORT`"
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
            said, cause = f"`{name}` names `{given}`, which is not there", "what it should hold is not trusted"
            yield error("certificates/missing", said, about=name, cause=cause, fix=f"unset {name}")
            return
    file = patient.environment.get("SSL_CERT_FILE")
    try:
        context = ssl.create_default_context()
        if file:  # of a default file without a certificate nothing is said
            context.load_verify_locations(file)
    except (OSError, ssl.SSLError) as problem:
        named = f"`SSL_CERT_FILE`, `{file}`," if file else "what the system trusts"
        fix = "name a PEM file with certificates: `SSL_CERT_FILE=FILE`"
        yield error("certificates/broken", f"{named} holds nothing to trust", cause=str(problem), fix=fix)
        return
    paths = ssl.get_default_verify_paths()
    # OpenSSL finds them by names such as `5ed36f99.0`, and opens none before it is needed.
    folder = paths.capath if paths.capath and any(Path(paths.capath).glob("*.[0-9]")) else None
    count = context.cert_store_stats()["x509_ca"]
    if not count and folder is None:
        fix = "install `ca-certificates`, or name a bundle: `SSL_CERT_FILE=FILE`"
        yield error("certificates/none", "no certificate authority is trusted", fix=fix)
    else:
        where = (paths.cafile if count else None) or folder or "the system"
        yield ok("certificates/ok", f"{count or 'the'} certificate authorities of {where} are trusted")


def port(patient: Patient) -> Iterator[Finding]:
    """The ports that servers take when nothing else is said."""
    ours = {record.port: record.id for record in records.alive_records()}
    wanted: dict[int, Distribution] = {}
    for each in patient.distributions:
        if (number := _port_of(each, patient.environment)) is not None:
            wanted.setdefault(number, each)
    for number, each in wanted.items():
        if number in ours:
            yield ok("port/ours", f"port {number} is `{ours[number]}`'s", about=each.name)
        elif not _is_taken(number):
            yield ok("port/free", f"port {number} is free", about=each.name)
        else:
            said = f"port {number} is taken by {holder_of(number) or 'a process that the system does not name'}"
            fix = f"llama stack run {each.target} --port 0"
            yield warning("port/taken", said, about=each.name, cause="it is no server of this Llama home", fix=fix)


def _port_of(each: Distribution, environment: Mapping[str, str]) -> int | None:
    """None for any free one, and for a run config that says none because it is not valid."""
    from llama_cli.checkup.configs import run_config

    named = next((environment[name] for name in PORT_VARIABLES if environment.get(name, "").isdecimal()), None)
    try:
        return (int(named) if named else run_config(each, environment).server.port) or None
    except StackError:
        return None


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
