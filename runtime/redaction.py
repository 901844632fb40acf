"""Masks the secrets in a configuration. Knows the usual names of secrets, and where they occur in URLs and in
connection strings.

Standard library only, since listing commands import it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

MASK = "********"
_SECRET_LENGTH = 8

_WORDS = {"password", "passwd", "pwd", "passphrase", "secret", "secrets", "credential", "credentials", "token"}
_WORDS |= {"authorization", "bearer", "cookie", "dsn"}
_ENDINGS = (
    "password",
    "apikey",
    "accesskey",
    "accesskeyid",  # the other half of one
    "secretkey",
    "privatekey",
    "accountkey",
    "sharedkey",
    "signingkey",
    "connectionstring",
)
_NOT_SECRET = {"max", "min", "num", "count", "limit", "budget"}  # `max_token`, `num_token`: how many, not which
_FOLDERS = ("PWD", "OLDPWD")
"""Variables of every shell: the current folder and the last one. `pwd` elsewhere is a password."""
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
# Up to the last `@`: a user and a password may contain `/`, `?`, `#` and `@` unescaped, and a `:` before it tells them
# from a path; no user goes beyond a quote of compact JSON, where its next value begins. Masking a host too is better
# than showing a password. Searched word by word, so that nothing is scanned twice: a vendor's message may have 64
# thousand characters.
_CREDENTIALS = re.compile(r"""://(?:[^/?#@:]*|[^/?#@:"<>]*:.*|[^@:"'<>,]*:.*)@""")
_WORD = re.compile(r"\S+")
_QUERY = re.compile(
    r"(?P<name>[?&](?:[A-Za-z0-9_-]*(?:key|token|secret|password|signature)|sig)=)[^&#\s]+", re.IGNORECASE
)
# `password=x` as connection strings and command lines have it; in a URL's query that is _QUERY, since `&` ends it.
_ASSIGNED = re.compile(r"(?<![\w.?&-])(?P<name>[\w.-]{1,64})[ \t]{0,8}=(?!=)[ \t]{0,8}")
_QUOTED = r"""'(?:\\.|''|[^'\\])*'?|"(?:\\.|""|[^"\\])*"?"""
# libpq: blanks end a value that is not quoted, unless a backslash stands before them.
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE
_BY_BLANKS = re.compile(rf"{_QUOTED}|(?:\\.|\S)+", re.DOTALL)
# ODBC and ADO.NET: only a semicolon does, and braces quote.
_BY_SEMICOLONS = re.compile(rf"{_QUOTED}|\{{(?:[^}}]|\}}\}})*\}}?|[^;\n]+", re.DOTALL)
_PAIR_BEFORE = re.compile(r"=[^;=\n]*;[ \t]*\Z|=[ \t]*[\"'{][^\n]*;[ \t]*\Z")
_NEAR = 256
"""How far back the pair before is looked for, in characters."""


class Secrets:
    """Known values that are masked wherever they stand in a text, also as in an address and in JSON. Those with less
    than 8 characters are words (`EMPTY`, `dummy`): masking them would damage the text and hide nothing.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        found = {form for value in values if len(value) >= _SECRET_LENGTH for form in _forms(value)}
        self.values = frozenset(found)
        ordered = sorted(found, key=len, reverse=True)  # a pattern takes the first that matches
        self._pattern = re.compile("|".join(map(re.escape, ordered)))

    def are_in(self, text: str) -> bool:
        return any(value in text for value in self.values)  # many times as fast as the pattern

    def without(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self.are_in(text) else text


def _forms(value: str) -> tuple[str, ...]:
    return value, quote(value, safe=""), json.dumps(value, ensure_ascii=False)[1:-1]


def is_secret(key: str) -> bool:
    """Whether a value under this name must not be shown: `api_key`, `hf_token`, `clientSecret`, `Authorization`."""
    words = [word.lower() for word in _PARTS.findall(key)]
    if key in _FOLDERS or any(word in _NOT_SECRET for word in words):
        return False
    return bool(_WORDS.intersection(words)) or "".join(words).rstrip("s").endswith(_ENDINGS) or words == ["key"]


def hides(key: str) -> bool:
    """Whether nothing below this key may be shown: a secret's, and what has names that can be anything: `headers`, and
    the `environment` of a program.
    """
    return key in ("headers", "environment") or is_secret(key)


def redact(value: Any, *, key: str = "") -> Any:
    """A copy that is safe to print: secrets become `********`, also inside URLs. Empty values stay visible as empty."""
    if hides(key) and not isinstance(value, bool):
        return _masked(value)
    if isinstance(value, Mapping):
        return {name: redact(inner, key=str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    if isinstance(value, str):
        return redact_text(value)
    return value


def redact_text(text: str) -> str:
    """The text with masked users, passwords and key parameters in its URLs, and secrets that it assigns to a name."""
    if "://" in text and "@" in text:
        text = _WORD.sub(_without_credentials, text)
    text = _QUERY.sub(rf"\g<name>{MASK}", text)
    parts, place = [], 0
    for start, end in assigned_secrets(text):
        parts += [text[place:start], MASK]
        place = end
    return "".join([*parts, text[place:]])


def secrets_of_queries(text: str) -> Iterator[str]:
    """The values, as written, of the parameters of URLs that `redact_text` masks."""
    for found in _QUERY.finditer(text):
        yield text[found.end("name") : found.end()]


def assigned_secrets(text: str) -> Iterator[tuple[int, int]]:
    """Where the values of `password=x` and the like stand in a text, their quotes with them: start and end of each."""
    place = 0
    for found in _ASSIGNED.finditer(text) if "=" in text else ():
        name, start = found["name"], found.end()
        if found.start() < place or name.lower() == "key" or not is_secret(name):
            continue
        is_listed = _PAIR_BEFORE.search(text[max(0, found.start() - _NEAR) : found.start()])
        value = (_BY_SEMICOLONS if is_listed else _BY_BLANKS).match(text, start)
        if value is None:
            continue
        place = value.end()
        # The quote around the whole text, of which the value is the last word, is not its own.
        is_bare = value[0][0] not in "\"'{"
        yield start, place - (is_bare and len(value[0]) > 1 and value[0][-1] in "\"'`")


def _without_credentials(word: re.Match[str]) -> str:
    url, at, rest = word[0].rpartition("@")
    return _CREDENTIALS.sub(f"://{MASK}@", url + at) + rest


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(inner) for inner in value]
    return value if value is None or value == "" else MASK
