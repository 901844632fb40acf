"""The way to a server that is elsewhere: through a real proxy, over real TLS, and what is said where there is none."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from llama_cli.asking import ask
from llama_cli.asking.reach import way_to
from llama_cli.exits import Failure
from tests.support.web_proxy import Server, served

ELSEWHERE = "stack.example"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv(ask.KEY_VARIABLE, raising=False)


@pytest.fixture
def proxy() -> Iterator[Server]:
    with served() as server:
        yield server


def test_a_proxy_is_told_the_whole_address(proxy: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy.key = f"Basic {base64.b64encode(b'me:p/w').decode()}"
    monkeypatch.setenv("http_proxy", f"http://me:p%2Fw@{proxy.address}")
    assert ask.get(f"http://{ELSEWHERE}:8321/v1", "/v1/models") == {"data": []}
    assert proxy.asked == [("GET", f"http://{ELSEWHERE}:8321/v1/models")]


def test_this_machine_and_what_is_exempt_are_asked_without_it(proxy: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask.get(f"http://localhost:{proxy.server_port}", "/v1/models") == {"data": []}
    monkeypatch.setenv("http_proxy", f"http://{proxy.address}")
    monkeypatch.setenv("NO_PROXY", ".invalid")
    exempt = way_to("http://stack.invalid")
    assert (exempt.proxy.url, way_to(f"http://{ELSEWHERE}").proxy.url) == (None, f"http://{proxy.address}")
    assert proxy.asked == [("GET", "/v1/models")]
    unknown = exempt.broken(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert (unknown.code, unknown.message) == (6, "there is no host `stack.invalid`: Name or service not known")


def test_a_tunnel_leads_to_a_server_with_tls(proxy: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(ELSEWHERE).configure_cert(context)
    monkeypatch.setenv("HTTPS_PROXY", proxy.address)
    with served(context) as server:
        proxy.leads_to = ("127.0.0.1", server.server_port)
        with pytest.raises(Failure) as raised:
            ask.get(f"https://{ELSEWHERE}", "/v1/models")
        assert raised.value.code == 6
        assert raised.value.message.startswith(f"the certificate of `{ELSEWHERE}` is not trusted: ")
        assert raised.value.hint == "name your CA bundle: `SSL_CERT_FILE=FILE`"
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert ask.get(f"https://{ELSEWHERE}", "/v1/models") == {"data": []}
    assert proxy.asked == [("CONNECT", f"{ELSEWHERE}:443")] * 2
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    assert (
        _hint_about_the_certificate(proxy, context)
        == f"`SSL_CERT_FILE` names `{tmp_path}/gone.pem`, which is not there"
    )


def _hint_about_the_certificate(proxy: Server, context: ssl.SSLContext) -> str | None:
    with served(context) as server, pytest.raises(Failure) as raised:
        proxy.leads_to = ("127.0.0.1", server.server_port)
        ask.get(f"https://{ELSEWHERE}", "/v1/models")
    return raised.value.hint


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_us_is_named_without_the_password(
    scheme: str, proxy: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.key = "another"
    monkeypatch.setenv(f"{scheme}_proxy", f"http://me:hush@{proxy.address}")
    with pytest.raises(Failure) as raised:
        ask.get(f"{scheme}://{ELSEWHERE}", "/v1/models")
    said = f"the proxy http://{proxy.address} (of `{scheme}_proxy`) does not let us through to `{ELSEWHERE}`"
    assert (raised.value.code, raised.value.message) == (6, said)
    assert "USER:PASSWORD" in str(raised.value.hint)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named_with_its_variable(
    scheme: str, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", f"127.0.0.1:{unused_tcp_port}")
    with pytest.raises(Failure) as raised:
        ask.get(f"{scheme}://{ELSEWHERE}", "/v1/models")
    assert raised.value.code == 6
    assert raised.value.message == (
        f"`{ELSEWHERE}` cannot be reached through the proxy http://127.0.0.1:{unused_tcp_port} (of `ALL_PROXY`): "
        "Connection refused"
    )
    assert raised.value.hint == f"correct `ALL_PROXY`, or leave the proxy out for this host: `NO_PROXY={ELSEWHERE}`"


def test_a_proxy_of_a_kind_that_we_do_not_speak_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(Failure) as raised:
        ask.get(f"https://{ELSEWHERE}", "/v1/models")
    assert (raised.value.code, "which is no plain HTTP proxy" in raised.value.message) == (6, True)
