"""Who sees which part of an address that somebody has registered: some servers have keys in their paths."""

from __future__ import annotations

import pytest

from runtime.access import ANYBODY, EVERYBODY, Caller, User
from runtime.addresses import keys_in, origin_of
from runtime.context import RequestContext, serving
from runtime.routing.entry import Entry, Source

KEY = "sk-0123456789abcdef"
WHOLE, ORIGIN = f"https://weather.example/{KEY}/mcp", "https://weather.example/<redacted>"
ANN = User(principal="ann", attributes={"teams": ("a",)})
EVE = User(principal="eve", attributes={"teams": ("a",)})


@pytest.mark.parametrize(
    ("owner", "source", "caller", "seen"),
    [
        (ANN, "registered", ANN, WHOLE),
        (ANN, "registered", EVE, ORIGIN),
        (ANN, "registered", ANYBODY, ORIGIN),
        (None, "registered", EVERYBODY, WHOLE),
        (None, "registered", ANYBODY, ORIGIN),
        (None, "registered", EVE, ORIGIN),
        (None, "config", EVERYBODY, ORIGIN),
        (None, "config", ANN, ORIGIN),
    ],
)
def test_who_gave_an_address_sees_its_path(owner: User | None, source: Source, caller: Caller, seen: str) -> None:
    facts = {"url": WHOLE, "mcp_endpoint": {"uri": WHOLE}, "server_description": f"see {ORIGIN}"}
    entry = Entry(id="w", provider_id="p", provider_resource_id="w", facts=facts, source=source, owner=owner)
    with serving(RequestContext(user=caller)):
        shown = entry.without_secrets().facts
    assert shown == {**facts, "url": seen, "mcp_endpoint": {"uri": seen}}


def test_of_an_address_only_the_origin_is_told() -> None:
    assert origin_of(WHOLE) == origin_of(f"https://u:{KEY}@weather.example?k={KEY}") == ORIGIN
    assert origin_of("http://[::1]:80/") == "http://[::1]:80"
    assert {origin_of(text) for text in ("http://[half", KEY, "", f"/{KEY}")} == {"<redacted>"}
    cut = [f"https://me:{KEY[:3]}{mark}{KEY[3:]}@weather.example/x" for mark in "/?#"]
    assert {origin_of(text) for text in cut} == {"<redacted>"}, "a password with a sign of its own"


def test_keys_are_told_from_words() -> None:
    assert keys_in(WHOLE) == {KEY}
    assert keys_in("https://weather.example/model-context-protocol/v1/mcp") == set()
    assert keys_in("https://weather.example/mcp?key=a%2Fb&c") == {"a%2Fb", "a/b", "c"}
