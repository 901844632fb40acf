"""The `network` block of a bucket in obstore's words, and what it does not know."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from runtime.conformance.stacks import run_config
from runtime.errors import ConfigInvalid, Unavailable
from runtime.http.client import HttpClient
from runtime.providers.files.s3.adapter import Bucket
from runtime.providers.files.s3.client import client_options, retry_config
from runtime.providers.files.s3.config import S3FilesConfig
from runtime.stack.plan import plan


def config(network: Any, **more: Any) -> S3FilesConfig:
    key = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    return S3FilesConfig.model_validate({"bucket_name": "b", "network": network, **key, **more})


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("network", "options"),
    [
        (None, {"connect_timeout": "5000ms", "read_timeout": "300000ms", "timeout": "300000ms"}),
        ({"timeout": 1.5}, {"connect_timeout": "1500ms", "read_timeout": "1500ms", "timeout": "300000ms"}),
        ({"timeout": {"total": 900}}, {"connect_timeout": "5000ms", "timeout": "900000ms"}),
        ({"headers": {"X-Team": "red"}}, {"default_headers": {"x-team": "red"}}),
        ({"limits": {"max_keepalive_connections": 0}}, {"pool_max_idle_per_host": "0"}),
        ({"limits": {"keepalive_expiry": 2}}, {"pool_idle_timeout": "2000ms"}),
        ({"tls": {"verify": False, "min_version": "TLSv1.2"}}, {"allow_invalid_certificates": True}),
        ({"proxy": {"url": "proxy.example:3128"}}, {"proxy_url": "http://proxy.example:3128"}),
        ({"proxy": {"https": "http://a:1", "http": "http://b:2"}}, {"proxy_url": "http://a:1"}),
    ],
)
def test_each_setting_is_passed_on(network: Any, options: dict[str, Any]) -> None:
    found = client_options(config(network))
    assert found == {**found, **options} and found["allow_http"] is False
    assert not {"proxy_url", "default_headers", "pool_idle_timeout", "root_certificate"} & {*found} - {*options}


def test_certificates_are_read_from_the_files_that_are_named(tmp_path: Path) -> None:
    for name in ("a.pem", "b.pem"):
        (tmp_path / name).write_text(name)
    tls, proxy = {"verify": str(tmp_path / "missing.pem")}, {"cacert": str(tmp_path / "b.pem")}
    with pytest.raises(Unavailable, match=r"missing\.pem` cannot be read"):
        client_options(config({"tls": tls}))
    assert client_options(config({"proxy": proxy}))["root_certificate"] == b"b.pem"


def test_how_often_it_is_tried_again() -> None:
    assert retry_config(config(None).network) == {"max_retries": 2}
    made = retry_config(config({"retries": {"times": 4, "within": 9}}).network)
    assert (made["max_retries"], made["retry_timeout"].total_seconds()) == (4, 9.0)


def test_which_proxy_it_is_follows_our_own_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://p:1")
    near = config(None, endpoint_url="https://localhost:9000")
    assert client_options(config(None))["proxy_url"] == "http://p:1"
    for direct in (near, config({"proxy": {"url": "none"}}), config({"proxy": {"no_proxy": ["amazonaws.com"]}})):
        options = client_options(direct)
        assert options["proxy_url"] == "http://127.0.0.1:9"
        assert options["proxy_excludes"].startswith(direct.address.split("//")[1].partition(":")[0] + ",")
    monkeypatch.setenv("https_proxy", "socks5://p:1")
    with pytest.raises(Unavailable, match="cannot be reached through the proxy that `https_proxy` names"):
        client_options(config(None))


@pytest.mark.parametrize(
    ("section", "given", "named"),
    [
        ("tls", {"min_version": "TLSv1.3"}, ["min_version"]),
        ("tls", {"ciphers": ["x"], "client_cert": "c.pem"}, ["ciphers", "client_cert"]),
        ("tls", {"verify": "FOLDER"}, ["verify (a folder)"]),
        ("timeout", {"first_byte": 3}, ["first_byte"]),
        ("limits", {"max_connections": 3}, ["max_connections"]),
    ],
)
def test_what_cannot_be_passed_on_is_a_problem_of_the_run_config(
    tmp_path: Path, section: str, given: dict[str, Any], named: list[str]
) -> None:
    given = {name: str(tmp_path) if value == "FOLDER" else value for name, value in given.items()}
    entry = {
        "provider_id": "s3",
        "provider_type": "remote::s3",
        "config": {"bucket_name": "b", "network": {section: given}},
    }
    with pytest.raises(ConfigInvalid) as raised:
        plan(run_config(providers={"inference": [], "files": [entry]}))
    problem = raised.value.problems[0]
    assert problem.path == f"providers.files[0].config.network.{section}"
    assert problem.message.startswith("obstore, which talks to the bucket, cannot do this: ")
    assert all(f"`{name}`" in problem.message for name in named)


def test_its_settings_are_also_those_of_other_requests_of_the_provider() -> None:
    entry = {
        "provider_id": "s3",
        "provider_type": "remote::s3",
        "config": {"bucket_name": "b", "network": {"timeout": 3, "proxy": {"url": "http://u:secret@p:1"}}},
    }
    planned = plan(run_config(providers={"inference": [], "files": [entry]}))
    [provider] = [one for one in planned.providers if one.provider_id == "s3"]
    assert provider.network is not None and provider.network.timeout is not None
    assert provider.network.timeout.connect == 3.0
    assert "secret" not in str(provider.shown()) and provider.shown()["network"]["timeout"]["read"] == 3.0


async def test_a_bucket_that_says_nothing_is_left_after_the_time_that_is_set() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silence = {"timeout": {"read": 0.2}, "retries": 0}
        made = config(silence, endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
        bucket = Bucket(made, HttpClient("files", network=made.network), name="files")
        with pytest.raises(Unavailable, match="in the bucket `b`"):
            await bucket.remove("file-1")
