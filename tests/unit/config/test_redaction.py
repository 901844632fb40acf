"""What is a secret, and that it does not show."""

from __future__ import annotations

import time

import pytest

from runtime.config.redaction import is_secret, redact, redact_text


@pytest.mark.parametrize(
    "key",
    [
        "api_key",
        "apiKey",
        "API-KEY",
        "api_keys",
        "openai_api_key",
        "X-Api-Key",
        "token",
        "HF_TOKEN",
        "api_token",
        "accessToken",
        "password",
        "db_password",
        "secret",
        "client_secret",
        "clientSecret",
        "aws_secret_access_key",
        "aws_session_token",
        "auth_credential",
        "credentials",
        "Authorization",
        "Proxy-Authorization",
        "cookie",
        "private_key",
        "key",
    ],
)
def test_names_of_secrets_are_known(key: str) -> None:
    assert is_secret(key)


@pytest.mark.parametrize(
    "key",
    [
        "max_tokens",
        "max_token",
        "num_token",
        "tokenizer",
        "model",
        "keyfile",
        "tls_keyfile",
        "key_required",
        "base_url",
        "monkey",
        "keys",
        "secretary",
        "provider_id",
        "chunk_size_in_tokens",
        "PWD",  # the folder that a shell is in, and the last one
        "OLDPWD",
        "",
    ],
)
def test_other_names_are_not(key: str) -> None:
    assert not is_secret(key)


def test_a_copy_is_made_with_every_secret_masked() -> None:
    config = {
        "api_key": "sk-1",
        "password": 1234,
        "empty_token": "",
        "null_token": None,
        "use_token": True,
        "nested": [{"headers": {"Authorization": "Bearer x", "Accept": "y"}}],
        "credentials": {"user": "u", "list": ["a"]},
        "url": "https://user:pa:ss@host/x",
    }
    before = repr(config)
    assert redact(config) == {
        "api_key": "********",
        "password": "********",
        "empty_token": "",
        "null_token": None,
        "use_token": True,
        "nested": [{"headers": {"Authorization": "********", "Accept": "********"}}],
        "credentials": {"user": "********", "list": ["********"]},
        "url": "https://********@host/x",
    }
    assert repr(config) == before


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+asyncpg://u:p@h:5432/db", "postgresql+asyncpg://********@h:5432/db"),
        ("redis://:p@h", "redis://********@h"),
        ("https://token@h", "https://********@h"),
        ("see http://a:b@c and http://d:e@f.", "see http://********@c and http://********@f."),
        ("https://h/x?api_key=abc&q=1&sig=zz#f", "https://h/x?api_key=********&q=1&sig=********#f"),
        ("https://h/a@b", "https://h/a@b"),
        ("https://h?mail=a@b", "https://h?mail=a@b"),
        ("redis://u:p@s/s?w@h:1/0", "redis://********@h:1/0"),
        ("me@example.org", "me@example.org"),
    ],
)
def test_secrets_in_urls_are_masked(text: str, shown: str) -> None:
    assert redact_text(text) == shown


@pytest.mark.parametrize("words", ["a" * 100_000, "x://x:" * 20_000, "@" + "x://x:" * 20_000, "?" + "key" * 30_000])
def test_what_a_vendor_writes_at_length_is_gone_through_once(words: str) -> None:
    began = time.thread_time()
    assert redact_text(words) == words
    assert time.thread_time() - began < 1  # 0.01; what goes through it again and again takes 10
