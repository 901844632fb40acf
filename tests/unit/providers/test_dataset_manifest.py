"""A dataset's manifest: which version a digest names, which parts it has, and which small parts become one."""

from __future__ import annotations

import hashlib

import pytest

from runtime.errors import NotFound, RequestError
from runtime.providers.datasetio.localfs.kinds import kind_of, merged, together
from runtime.providers.datasetio.localfs.manifest import Manifest, Version, extended, without_last


def version(digest: str) -> Version:
    return Version(digest=digest.ljust(64, "0"), state="", rows=0, columns=[], parts=[], created_at=0)


def test_the_beginning_of_a_digest_names_one_version_or_is_refused() -> None:
    kept = Manifest(dataset="rows", made="", versions=[version("aaaaaaaa1"), version("aaaaaaaa2"), version("b")])
    assert kept.version(None) is kept.versions[2]
    assert kept.version("sha256:aaaaaaaa1") is kept.versions[0]
    with pytest.raises(RequestError, match="`aaaaaaaa10000000`, `aaaaaaaa20000000`") as ambiguous:
        kept.version("aaaaaaaa")
    assert (ambiguous.value.status, ambiguous.value.param) == (400, "version")
    with pytest.raises(NotFound) as unknown:
        kept.version("aaaaaaaa3")
    assert unknown.value.hint is not None and unknown.value.hint.startswith("it has `aaaaaaaa2000`, `aaaaaaaa1000`")


@pytest.mark.parametrize(
    ("spans", "count", "left"),
    [
        ([(0, 3)], 0, [(0, 3)]),
        ([(0, 3)], 2, [(0, 1)]),
        ([(0, 3), (5, 6)], 1, [(0, 3)]),
        ([(0, 3), (5, 6)], 2, [(0, 2)]),
        ([(0, 3), (5, 7)], 5, []),
    ],
)
def test_spans_lose_their_last_parts(spans: list[tuple[int, int]], count: int, left: list[tuple[int, int]]) -> None:
    assert without_last(spans, count) == left


def test_spans_that_meet_are_one() -> None:
    assert extended([(0, 3)], 3, 4) == [(0, 4)]
    assert extended([(0, 3)], 5, 6) == [(0, 3), (5, 6)]
    assert extended([], 5, 6) == [(5, 6)]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"null", "null"), (b"true", "boolean"), (b"false", "boolean"), (b'"1"', "text"), (b"[1]", "json"),
        (b"{}", "json"), (b"0", "integer"), (b"-9223372036854775808", "integer"), (b"9223372036854775807", "integer"),
        (b"9223372036854775808", "number"), (b"-9223372036854775809", "number"), (b"9" * 5000, "number"),
        (b"1.0", "real"), (b"-1e5", "real"), (b"1E-400", "real"),
    ],
)  # fmt: skip
def test_a_value_has_its_kind(value: bytes, kind: str) -> None:
    assert kind_of(value) == kind


def test_several_kinds_are_one_that_has_room_for_all() -> None:
    assert together([]) == "null" and together(["null", "text"]) == "text"
    assert together(["integer", "real"]) == "number" and together(["integer", "text"]) == "json"
    assert merged([("a", "integer"), ("b", "text")], [("c", "real"), ("a", "real"), ("b", "null")]) == [
        ("a", "number"), ("b", "text"), ("c", "real"),
    ]  # fmt: skip


def test_a_state_goes_on_where_another_ended() -> None:
    from runtime.providers.datasetio.localfs.manifest import NO_ROWS, States

    rows = [b"one", b"two", b"three"]
    whole, first = States(NO_ROWS), States(NO_ROWS)
    whole.add(iter(rows))
    first.add(iter(rows[:1]))
    rest = States(first.state)
    rest.add(iter(rows[1:]))
    assert whole.state == rest.state != first.state
    assert first.state == hashlib.sha256(bytes(32) + b"one").hexdigest()
