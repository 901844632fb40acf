"""A URL of a database server is refused where a part of its password could be taken for something else: such a part
would be shown as the name of a server or a database.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from runtime.errors import Unavailable
from runtime.storage.backends import BACKENDS
from runtime.storage.server_url import check_url, host_of

WITH_URL = {
    kind: name
    for kind, backend in BACKENDS.items()
    for name in ("url", "connection_string")
    if name in backend.config.model_fields
}
"""Types of backends, each with its setting for a URL."""


def of_type(kind: str, user: str) -> BaseModel:
    scheme = {"kv_redis": "redis", "kv_mongodb": "mongodb"}.get(kind, "postgresql")
    return BACKENDS[kind].config.model_validate({"type": kind, WITH_URL[kind]: f"{scheme}://{user}@db.example:1/x"})


def test_every_secret_url_is_looked_at() -> None:
    secret = {kind for kind, backend in BACKENDS.items() if "password" in backend.config.model_fields}
    assert secret == {*WITH_URL} == {"kv_mongodb", "kv_postgres", "kv_redis", "sql_postgres"}


@pytest.mark.parametrize("kind", WITH_URL)
@pytest.mark.parametrize(
    "user",
    [
        *("me:canary/77", "me:12/canary77", "me:canary#77", "me:1#canary77", "me:canary?77", "me:1?canary=77"),
        *(
            "me:canary\N{ACCOUNT OF}77",
            "me:canary[77",
            "m/e:canary77",
            "me:canary@77",
            "me:1/canary@77",
            ":canary/77",
            "me:can%zzary",
        ),
    ],
)
def test_an_unencoded_password_is_refused_and_not_shown(kind: str, user: str) -> None:
    with pytest.raises(ValidationError, match="percent-encode") as raised:
        of_type(kind, user)
    said = [error["msg"] for error in raised.value.errors()]
    assert "canary" not in "".join(said)


@pytest.mark.parametrize("kind", WITH_URL)
@pytest.mark.parametrize("user", ["me:can%2Fary%4077", "canary77", ":canary77", "me:canary 77", "me:can:ary77"])
def test_what_a_message_names_has_nothing_of_a_password(kind: str, user: str) -> None:
    settings = of_type(kind, user)
    place = settings.place()  # type: ignore[attr-defined]  # of those with servers
    assert "db.example:1" in place
    assert not [part for part in ("can", "ary", "77", "me") if part in place.removeprefix("the ").replace("name", "")]
    assert not [value for name, value in settings if isinstance(value, str) and "canary" in value], "they are SecretStr"
    assert isinstance(getattr(settings, WITH_URL[kind]), SecretStr)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("postgresql://me:se%40cret@db.example/my%20db", "db.example"),
        ("postgresql+asyncpg://me:s@[::1]:6432/x?sslmode=require", "[::1]:6432"),
        ("postgresql://?host=h&dbname=d&port=1", ""),
        ("redis:///0", ""),
        ("mongodb://me:s@a:27017,b:27017,[::1]:3/?w=majority", "a:27017,b:27017,[::1]:3"),
        ("mongodb://%2Ftmp%2Fmongodb-27017.sock", "%2Ftmp%2Fmongodb-27017.sock"),
    ],
)
def test_what_drivers_read_passes(url: str, host: str) -> None:
    check_url(url, called="url")
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("kv_mongodb", "mongodb+srv://me:canary@db.example:1/x"),
        ("kv_mongodb", "mongodb://me:canary@db.example:1/?tlsCAFile=/no/such/file"),
        ("kv_redis", "redis://me:canary@db.example:1/?unknown=1"),
        ("kv_redis", "redis://me:canary@db.example:1/?socket_timeout=long"),
    ],
)
def test_what_a_driver_refuses_in_a_url_is_said_when_it_is_opened(kind: str, url: str, tmp_path: Path) -> None:
    settings = BACKENDS[kind].config.model_validate({"type": kind, "url": url})
    with pytest.raises(Unavailable, match=r"server at db\.example:1 could not be opened: ") as raised:
        BACKENDS[kind].load()(settings, tmp_path)
    assert "ary" not in raised.value.message


@pytest.mark.parametrize("url", ["redis://h:port", "redis://h:6379:1", "redis://[::1", "redis://[::1]x/0"])
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="cannot be told apart"):
        check_url(url, called="url")
