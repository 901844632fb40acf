"""How a user of Infinispan is proven: by the password itself, or by a digest of it and of each request."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from runtime.http.client import HttpClient
from runtime.http.transport import Key, Outgoing

_HINT = "set `username` and `password`"
_HASHES: Mapping[str, Callable[[bytes], hashlib._Hash]] = {"SHA-256": hashlib.sha256, "MD5": hashlib.md5}
_PART = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


class Basic:
    """RFC 7617."""

    hint = _HINT

    def __init__(self, username: str, password: str) -> None:
        self._proof = b64encode(f"{username}:{password}".encode()).decode()

    async def apply(self, request: Outgoing) -> Outgoing:
        return request.with_headers({"authorization": f"Basic {self._proof}"}, key=Key(value=self._proof))


class Digest:
    """RFC 7616, with `qop=auth`. The server's challenge comes with its first refusal; it is renewed when the server
    refuses it, since challenges grow old.
    """

    hint = _HINT

    def __init__(self, username: str, password: str, *, http: HttpClient, address: str) -> None:
        self._username, self._password = username, password
        self._http, self._url = http, f"{address}/rest/v2/server"
        self._challenge: Mapping[str, str] = {}
        self._count = 0

    async def apply(self, request: Outgoing) -> Outgoing:
        """Without a challenge, as it is."""
        if not self._challenge:
            return request
        self._count += 1
        place = urlsplit(request.url)
        uri = f"{place.path}?{place.query}" if place.query else place.path
        proof = answer_to(
            self._challenge,
            username=self._username,
            password=self._password,
            method=request.method,
            uri=uri,
            count=self._count,
            own_nonce=secrets.token_hex(8),
        )
        return request.with_headers({"authorization": proof}, key=Key(value=self._challenge["nonce"]))

    async def renew(self, refused: Outgoing) -> bool:
        """Whether the server has another challenge than the refused request answered."""
        exchange = await self._http.exchange(Outgoing(method="GET", url=self._url))
        headers = [value for name, value in exchange.headers.items() if name.lower() == "www-authenticate"]
        await exchange.close()
        challenge = challenge_in(", ".join(headers))
        if challenge is None or (refused.key is not None and challenge["nonce"] == refused.key.value):
            return False
        self._challenge, self._count = challenge, 0
        return True


def challenge_in(header: str) -> Mapping[str, str] | None:
    """The first digest challenge in `WWW-Authenticate` that we can answer, its names in lower case."""
    for challenge in re.split(r"(?:^|,)\s*Digest\s+", header, flags=re.IGNORECASE)[1:]:
        parts = {name.lower(): quoted or plain for name, quoted, plain in _PART.findall(challenge)}
        algorithm, ways = parts.setdefault("algorithm", "MD5").upper(), parts.get("qop", "").replace(" ", "").split(",")
        if algorithm in _HASHES and "auth" in ways and {"realm", "nonce"} <= parts.keys():
            return parts
    return None


def answer_to(
    challenge: Mapping[str, str],
    *,
    username: str,
    password: str,
    method: str,
    uri: str,
    count: int,
    own_nonce: str,
) -> str:
    """The `Authorization` of a request. count: of the requests that answer this challenge, this one included. RFC 7616,
    3.4.
    """
    algorithm = _HASHES[challenge["algorithm"].upper()]

    def digest(*parts: str) -> str:
        return algorithm(":".join(parts).encode()).hexdigest()

    number = f"{count:08x}"
    response = digest(
        digest(username, challenge["realm"], password),
        *(challenge["nonce"], number, own_nonce, "auth"),
        digest(method, uri),
    )
    quoted = {"username": username.replace("\\", r"\\").replace('"', r"\""), "realm": challenge["realm"]}
    quoted |= {"nonce": challenge["nonce"], "uri": uri, "response": response, "cnonce": own_nonce}
    if "opaque" in challenge:
        quoted["opaque"] = challenge["opaque"]
    named = [f'{name}="{value}"' for name, value in quoted.items()]
    return f"Digest {', '.join(named)}, algorithm={challenge['algorithm']}, qop=auth, nc={number}"
