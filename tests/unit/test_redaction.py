"""What is a secret, and that it does not show."""

from __future__ import annotations

import time

import pytest

from runtime.config.secret_values import secrets_in
from runtime.redaction import is_secret, redact, redact_text


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
        "sslpassword",
        "PGPASSWORD",
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
        "dsn",
        "SENTRY_DSN",
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
        "nested": [{"headers": {"Authorization": "Bearer x", "Accept": "y"}, "environment": {"PLAIN": "z"}}],
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
        "nested": [
            {"headers": {"Authorization": "********", "Accept": "********"}, "environment": {"PLAIN": "********"}}
        ],
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
        ('{"url":"https://h/x","mail":"a:@b"}', '{"url":"https://h/x","mail":"a:@b"}'),
        ("https://h/a@b", "https://h/a@b"),
        ("https://h?mail=a@b", "https://h?mail=a@b"),
        ("redis://u:p@s/s?w@h:1/0", "redis://********@h:1/0"),
        ("postgresql://us/er:pw@h/db", "postgresql://********@h/db"),
        ("postgresql://o'brien:pw@h/db", "postgresql://********@h/db"),
        ("redis://a,b:pw@h", "redis://********@h"),
        ("me@example.org", "me@example.org"),
        (
            "postgresql://h/db?user=u&password=s&sslmode=require",
            "postgresql://h/db?user=u&password=********&sslmode=require",
        ),
    ],
)
def test_secrets_in_urls_are_masked(text: str, shown: str) -> None:
    assert redact_text(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("host=db user=u password=s3cret dbname=x", "host=db user=u password=******** dbname=x"),
        ("host=db password = s3cret dbname=x", "host=db password = ******** dbname=x"),
        ("host=db password='s3 cret' dbname=x", "host=db password=******** dbname=x"),
        (r"host=db password='it\'s s3cret' dbname=x", "host=db password=******** dbname=x"),
        (r"host=db password=s3\ cret dbname=x", "host=db password=******** dbname=x"),
        ("host=db password='never closed dbname=x", "host=db password=********"),
        ("password=a;b=c dbname=x", "password=******** dbname=x"),
        ("host=db password=1 sslpassword=2 passfile=/p", "host=db password=******** sslpassword=******** passfile=/p"),
        ("host=db password='' dbname=x", "host=db password=******** dbname=x"),
        ('dsn: "host=db password=s3cret"', 'dsn: "host=db password=********"'),
        ("`PGPASSWORD=s3cret` was set", "`PGPASSWORD=********` was set"),
        ("Server=db;Uid=u;Pwd=s3 cret;Encrypt=yes", "Server=db;Uid=u;Pwd=********;Encrypt=yes"),
        ("Server=db;Pwd={s3;cr}}et};Encrypt=yes", "Server=db;Pwd=********;Encrypt=yes"),
        ("AccountName=a;AccountKey=czM==;EndpointSuffix=x", "AccountName=a;AccountKey=********;EndpointSuffix=x"),
        ("jdbc:sqlserver://h;user=u;password=s3cret;x=y", "jdbc:sqlserver://h;user=u;password=********;x=y"),
        ("it ran with --api-key=s3cret -v", "it ran with --api-key=******** -v"),
        ("${env.DB:=host=db password=s3cret}", "${env.DB:=host=db password=********"),
        ("it failed; token=s3cret is refused", "it failed; token=******** is refused"),
        ("max_tokens=5 model=key key=lambda", "max_tokens=5 model=key key=lambda"),
        ("if password == expected", "if password == expected"),
        ("password=", "password="),
    ],
)
def test_secrets_in_connection_strings_are_masked(text: str, shown: str) -> None:
    assert redact_text(text) == shown
    assert redact_text(shown) == shown


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("host=db password=s3cret dbname=x", ["s3cret"]),
        (r"password='it\'s' dbname=x", [r"it\'s", "it's"]),
        ("Server=db;Pwd={s3;cr}}et};x=y", ["s3;cr}et"]),
        ("postgresql://u:p%20w@h/db", ["p%20w", "p w"]),
        ("host=db dbname=x", []),
    ],
)
def test_what_a_driver_may_report_alone_is_known(text: str, secrets: list[str]) -> None:
    assert list(secrets_in({"place": text})) == secrets


@pytest.mark.parametrize(
    "words", ["token " * 20_000, "a=" * 50_000, "x=y;" * 25_000, "=;" * 50_000, "'" * 100_000, "-" * 100_000]
)
def test_what_assigns_nothing_secret_is_gone_through_once(words: str) -> None:
    began = time.thread_time()
    assert redact_text(words) == words
    assert time.thread_time() - began < 1


@pytest.mark.parametrize("words", ["a" * 100_000, "x://x:" * 20_000, "@" + "x://x:" * 20_000, "?" + "key" * 30_000])
def test_what_a_vendor_writes_at_length_is_gone_through_once(words: str) -> None:
    began = time.thread_time()
    assert redact_text(words) == words
    assert time.thread_time() - began < 1  # 0.01; what goes through it again and again takes 10
