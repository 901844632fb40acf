"""How a provider's servers are reached, as its config says: what is accepted, and that it is done."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from pydantic import BaseModel, ValidationError

from runtime.conformance.upstream import Upstream, upstream_server
from runtime.errors import Unavailable
from runtime.http.client import HttpClient
from runtime.http.network import Network
from runtime.http.proxies import proxy_for
from runtime.http.transport import Outgoing, json_request
from tests.support.calls import chat, failure, reaching


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def server_tls(authority: trustme.CA, *, wants_client: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if wants_client:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    return context


async def test_a_server_is_trusted_by_the_authority_of_the_config_alone(authority: trustme.CA, ca_file: str) -> None:
    async with upstream_server(server_tls(authority)) as upstream:
        async with reaching() as client:
            error = await failure(client.reply(chat(upstream)))
            assert (error.code, "certificate" in error.message) == ("upstream_unreachable", True)
        for verify in (ca_file, False, "false"):
            async with reaching(tls={"verify": verify}) as client:
                assert b"chat.completion" in (await client.reply(chat(upstream))).data


async def test_authorities_may_lie_in_a_folder(authority: trustme.CA, tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    folder.mkdir()
    async with reaching(tls={"verify": str(folder)}) as client, upstream_server(server_tls(authority)) as upstream:
        assert (await failure(client.reply(chat(upstream)))).code == "upstream_unreachable"  # none is in there


async def test_a_file_that_has_gone_since_is_named(ca_file: str, upstream: Upstream) -> None:
    async with reaching(tls={"verify": ca_file}) as client:
        Path(ca_file).unlink()
        error = await failure(client.reply(chat(upstream)))
    assert (error.code, "TLS settings of its config" in error.message) == ("tls_settings", True)


@pytest.mark.parametrize("password", [None, "hush-hush"])
@pytest.mark.parametrize("in_one_file", [True, False])
async def test_a_certificate_of_ours_is_shown(
    authority: trustme.CA, ca_file: str, tmp_path: Path, password: str | None, in_one_file: bool
) -> None:
    ours = authority.issue_cert("us@example.com")
    key = serialization.load_pem_private_key(ours.private_key_pem.bytes(), None)
    locked = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    written = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    certificate = b"".join(blob.bytes() for blob in ours.cert_chain_pems)
    (tmp_path / "us.pem").write_bytes(certificate + (written if in_one_file else b""))
    (tmp_path / "us.key").write_bytes(written)
    tls = {"verify": ca_file, "client_cert": str(tmp_path / "us.pem"), "client_key_password": password}
    if not in_one_file:
        tls["client_key"] = str(tmp_path / "us.key")
    async with upstream_server(server_tls(authority, wants_client=True)) as upstream:
        async with reaching(tls=tls) as client:
            assert (await client.reply(chat(upstream))).data
        async with reaching(tls={"verify": ca_file}) as client:
            assert (await failure(client.reply(chat(upstream)))).status == 502
    assert "hush" not in repr(Network.model_validate({"tls": tls}))
    if password:
        with pytest.raises(ValidationError, match="cannot be used"):
            Network.model_validate({"tls": {**tls, "client_key_password": "wrong"}})


async def test_the_oldest_version_of_tls_is_kept_to(authority: trustme.CA, ca_file: str) -> None:
    old = server_tls(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    ciphers = {"ciphers": ["ECDHE+AESGCM", "DHE+AESGCM"]}
    async with upstream_server(old) as upstream:
        async with reaching(tls={"verify": ca_file, "min_version": "TLSv1.3"}) as client:
            assert (await failure(client.reply(chat(upstream)))).code == "upstream_unreachable"
        async with reaching(tls={"verify": ca_file, "min_version": "TLSv1.2", **ciphers}) as client:
            assert (await client.reply(chat(upstream))).data


class HttpProxy:
    """A proxy that passes bytes on. seen: the first line of each request."""

    def __init__(self) -> None:
        self.address = ""
        self.seen: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.seen.append(head.split(b"\r\n")[0].decode())
        target = head.split(b" ")[1].decode().removeprefix("http://").split("/")[0]
        host, _, port = target.partition(":")
        if host == "vendor.invalid":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            writer.close()
            return
        there, to_there = await asyncio.open_connection(host, int(port))
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            to_there.write(head)
        await asyncio.gather(self._pass_on(reader, to_there), self._pass_on(there, writer))

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass
        finally:
            target.close()


@asynccontextmanager
async def http_proxy() -> AsyncIterator[HttpProxy]:
    proxy = HttpProxy()
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0) as server:
        proxy.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxy


async def test_the_proxy_of_the_config_comes_before_the_environment_s(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    far = json_request("http://vendor.invalid/v1/x", {})
    async with http_proxy() as proxy:
        async with reaching(proxy={"url": proxy.address}) as client:
            assert (await client.reply(far)).data == b"{}"
            assert (await client.reply(chat(upstream))).data  # this machine as well: it was asked for
        assert [line.split(" ")[1] for line in proxy.seen] == [far.url, f"{upstream.url}/chat/completions"]
        async with reaching(proxy={"https": proxy.address}) as client:
            assert (await failure(client.reply(far))).code == "proxy_failed"  # for `http`, the environment's
        assert len(proxy.seen) == 2


@pytest.mark.parametrize(
    "settings", [{"http": "proxy.example:1", "no_proxy": [".invalid"]}, {"url": "none"}, {"url": ""}, {"no_proxy": "*"}]
)
def test_the_config_may_say_that_there_is_no_proxy(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert proxy_for("http", "vendor.invalid", None).url == "http://127.0.0.1:1"
    assert proxy_for("http", "vendor.invalid", None, Network.model_validate({"proxy": settings}).proxy).url is None


async def test_a_proxy_that_opens_tls_is_trusted_by_its_own_authority(authority: trustme.CA, ca_file: str) -> None:
    async with upstream_server(server_tls(authority)) as upstream, http_proxy() as proxy:
        async with reaching(proxy={"url": proxy.address, "cacert": ca_file}) as client:
            assert (await client.reply(chat(upstream))).data
        assert proxy.seen[0].startswith("CONNECT ")
        async with reaching(proxy={"url": "none", "cacert": ca_file}) as client:
            assert (await failure(client.reply(chat(upstream)))).status == 502  # not behind the proxy


async def test_a_failing_proxy_is_named_by_its_setting_without_its_password() -> None:
    async with reaching(proxy={"url": "http://me:hush@127.0.0.1:1"}) as client:
        error = await failure(client.reply(json_request("http://vendor.invalid/v1/x", {})))
    assert (error.code, "(of `network.proxy.url`)" in error.message) == ("proxy_failed", True)
    assert "hush" not in str(error.body())


def test_each_scheme_may_have_its_own_proxy() -> None:
    settings = Network.model_validate({"proxy": {"http": "proxy.example:1", "https": "http://proxy.example:2"}}).proxy
    assert proxy_for("http", "vendor.example", None, settings).url == "http://proxy.example:1"
    assert proxy_for("https", "vendor.example", None, settings).url == "http://proxy.example:2"


async def test_headers_of_the_config_go_with_every_request(upstream: Upstream) -> None:
    async with reaching(headers={"X-Team": "search", "Content-Type": "application/json; charset=utf-8"}) as client:
        await client.reply(chat(upstream))
    assert upstream.seen[0].headers["x-team"] == "search"
    assert upstream.seen[0].headers.getall("content-type") == ["application/json; charset=utf-8"]  # type: ignore[attr-defined]


async def test_the_number_of_connections_may_be_limited(upstream: Upstream) -> None:
    upstream.gate.clear()
    async with reaching(limits={"max_connections": 1, "keepalive_expiry": 60}) as client:
        first = asyncio.create_task(client.exchange(chat(upstream, stream=True)))
        await upstream.waiting_at_gate.wait()
        second = asyncio.create_task(client.exchange(Outgoing(method="GET", url=f"{upstream.url}/models")))
        exchange = await first
        upstream.gate.set()
        await exchange.read()
        await exchange.close()
        await (await second).close()
    assert len(upstream.connections) == 1


async def test_connections_may_be_used_once_each(upstream: Upstream) -> None:
    async with reaching(limits={"max_keepalive_connections": 0}) as client:
        for _ in range(2):
            await client.reply(chat(upstream))
    assert len(upstream.connections) == 2


def test_the_block_of_other_stacks_is_read_as_it_is_written(ca_file: str) -> None:
    """Every field of ogx 1.5.0's `network`."""
    network = Network.model_validate(
        {
            "tls": {"verify": ca_file, "min_version": "TLSv1.2", "ciphers": ["ECDHE+AESGCM"], "client_cert": None,
                    "client_key": None},
            "proxy": {"url": None, "http": "http://a.example:1", "https": "http://b.example:2", "cacert": ca_file,
                      "no_proxy": ["localhost", ".internal.corp"]},
            "timeout": {"connect": 30.0, "read": 120.0},
            "headers": {"X-Custom": "value"},
            "limits": {"max_connections": 100, "max_keepalive_connections": 20, "keepalive_expiry": 5.0},
        }
    )  # fmt: skip
    assert network.headers["x-custom"].get_secret_value() == "value"
    empty = {"tls": {"verify": None, "client_cert": "", "min_version": ""}, "proxy": {"cacert": ""}, "timeout": ""}
    assert Network.model_validate({**empty, "headers": None, "limits": None}).timeout is None


@pytest.mark.parametrize(
    "settings",
    [
        {"tls": {"verify": "/nowhere/a.pem"}},
        {"tls": {"client_cert": "/nowhere/a.pem"}},
        {"tls": {"client_cert": __file__, "client_key": "/nowhere/a.pem"}},
        {"proxy": {"cacert": "/nowhere/a.pem"}},
    ],
)
def test_a_file_that_is_not_there_is_named_where_it_is_needed(settings: dict[str, Any]) -> None:
    """Not when the config is read: a build may be made on another machine."""
    client = HttpClient("vendor", network=Network.model_validate(settings))
    with pytest.raises(Unavailable, match=r"`vendor` has no file `/nowhere/a\.pem`"):
        client.connections.check()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"proxi": {}}, "proxi"),
        ({"tls": {"client_key_password": "hush"}}, "needs `client_cert`"),
        ({"tls": {"verify": __file__}}, "cannot be used"),
        ({"tls": {"verify": "maybe"}}, "must be true, false, or the path"),
        ({"proxy": {"url": "yes"}}, "must be the address of an HTTP proxy"),
        ({"tls": {"ciphers": ["NONSENSE"]}}, "cannot be used"),
        ({"tls": {"min_version": "TLSv1.1"}}, "min_version"),
        ({"proxy": {"url": "https://me:hush@proxy.example"}}, "must be the address of an HTTP proxy"),
        ({"proxy": {"http": "http://me:hush@[::1"}}, "must be the address of an HTTP proxy"),
        ({"proxy": {"url": "http://me:12/hush@proxy.example"}}, "must be the address of an HTTP proxy"),
        ({"proxy": {"url": "http://a.example:1", "http": "http://b.example:2"}}, "either `url` or"),
        ({"timeout": {"read": 0}}, "greater than 0"),
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": "inf"}, "finite number"),  # the event loop cannot wait for that
        ({"timeout": {"total": float("inf")}}, "finite number"),
        ({"retries": {"within": float("inf")}}, "finite number"),
        ({"limits": {"keepalive_expiry": float("inf")}}, "finite number"),
        ({"headers": {"X Team": "hush"}}, "`X Team` cannot be set"),
        ({"headers": {"Content-Length": "3"}}, "`Content-Length` cannot be set"),
        ({"headers": {"X-Team": "hush\nx-evil: 1"}}, "the value of `X-Team`"),
    ],
)
def test_what_cannot_be_is_named_and_secrets_are_not_repeated(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Network.model_validate(settings)
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_secrets_are_shown_nowhere() -> None:
    network = Network.model_validate({"headers": {"X-Team": "hush"}, "proxy": {"url": "http://me:hush@proxy.example"}})
    assert "hush" not in repr(network)


def described(model: type[BaseModel]) -> list[str]:
    """Fields, of this model and those inside it, without a description that ends and says a default."""
    wrong = []
    for name, field in model.model_fields.items():
        inner = [part for part in getattr(field.annotation, "__args__", ()) if isinstance(part, type)]
        for part in inner:
            if issubclass(part, BaseModel):
                wrong += described(part)
        if not (field.description or "").endswith(".") or "default" not in (field.description or ""):
            wrong.append(f"{model.__name__}.{name}")
    return wrong


def test_every_setting_says_what_it_is_by_default() -> None:
    assert described(Network) == []
