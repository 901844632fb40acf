"""How an answer of today differs from the one that was recorded: in its schema, the members that it has and of which
type, and apart from that in its meaning. What differs each time, such as ids, times and numbers, is neither.

Pure: asks nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import msgspec

from runtime.recording.differences import ABSENT, differences
from runtime.recording.rules import cosine, normal_text, the_rules
from runtime.recording.said import Choice, Said, is_refusal, said, value_of
from runtime.recording.streams import name_of, objects_in
from runtime.sse import Json

_VECTORS_ALIKE = 0.99
_LONG, _MOST_WORDS = 200, 1_000
"""Texts of more characters are compared by their words, and by so many of these: the time grows with the square."""
_SHOWN = 200
_ITEMS = "[]"
_OF_CALLS = frozenset(("tool_calls", "function_call", "functionCall", "toolUse", "input", "name"))
_BODIES = ("json", "reply", "model", "events", "text", "fields", "parts", "bytes", "nothing", "error")
_MAKES_UP = {"id", "created", "updated", "system_fingerprint", "fingerprint", "etag", "model", "object"}
"""Members whose texts are made up anew each time, or repeat what was asked."""
_Path = tuple[str, ...]


class Drift(NamedTuple):
    """path: of the member, such as `choices[].message.content`. recorded, now: as they are shown."""

    path: str
    recorded: str
    now: str

    def __str__(self) -> str:
        return f"{self.path}: recorded {self.recorded}, now {self.now}"


def schema_drift(recorded: Json, now: Json) -> list[Drift]:
    """The members that are new, gone or of another type. Of a list, those of all its items; of events, by their kind.
    What a refusal has beside an answer is no drift of either.
    """
    if is_refusal(recorded) != is_refusal(now):
        return []
    kinds = [_kind(recorded), _kind(now)]
    if kinds[0] != kinds[1]:
        return [Drift("body", *kinds)]
    before, after = _shape(recorded), _shape(now)
    skipped = _unlike_calls(said(recorded), said(now))
    found = []
    for path in dict.fromkeys([*before, *after]):
        around = path[:-1]
        if not _is_filled(before, around) or not _is_filled(after, around) or not skipped.isdisjoint(path):
            continue
        if path not in before or path not in after or _differ(before[path], after[path]):
            types = [" or ".join(sorted(of[path])) or "null" if path in of else ABSENT for of in (before, after)]
            found.append(Drift(_spelt(path), *types))
    return found


def meaning_drift(recorded: Json, now: Json, *, alike: float) -> list[Drift]:
    """What the answers say differently: the status, a refusal in place of an answer, why it ended, the tools that are
    called, texts, vectors that point elsewhere. alike: how alike two texts are at least that say the same, from 0 to 1.
    """
    found = []
    statuses = [str(one["status"]) if "status" in one else "" for one in (recorded, now)]
    if statuses[0] != statuses[1]:
        found.append(Drift("status", *statuses))
    if is_refusal(recorded) or is_refusal(now):
        return [*found, *_of_refusals(recorded, now)]
    before, after = said(recorded), said(now)
    if before.choices or after.choices:
        found += _of_choices(before, after, alike)
    elif not before.vectors and not after.vectors:
        found += _of_facts(_readable(recorded), _readable(now), alike)
    return [*found, *_of_vectors(before, after)]


def text_ratio(one: str, other: str) -> float:
    """How alike two texts are, from 0 to 1."""
    if max(len(one), len(other)) <= _LONG:
        return SequenceMatcher(None, one, other, autojunk=False).ratio()
    words, others = (text.split()[:_MOST_WORDS] for text in (one, other))
    return SequenceMatcher(None, words, others, autojunk=False).ratio()


def _kind(answer: Json) -> str:
    """What an answer is, as far as whoever reads it has to know before."""
    kind = next((name for name in _BODIES if name in answer), "nothing")
    return {"events": "a stream", "json": "JSON", "reply": "JSON", "model": "JSON"}.get(kind, kind)


def _shape(answer: Json) -> Mapping[_Path, set[str]]:
    """The types of each member, by its path. Null is a member without a type: whatever may be there is not."""
    found: defaultdict[_Path, set[str]] = defaultdict(set)
    found[()] = {"object"}
    if "events" in answer:
        found["events",] = {"object"}
        for event in answer["events"]:
            for value in objects_in([event]):
                _walk(value, ("events", f"[{name_of(event)}]"), found)
    else:
        value = value_of(answer)
        for name, inner in value.items() if isinstance(value, dict) else ():
            _walk(inner, (name,), found)
        if isinstance(value, list):
            _walk(value, ("items",), found)
    return found


def _walk(value: Any, path: _Path, found: defaultdict[_Path, set[str]]) -> None:
    types = found[path]
    if isinstance(value, dict):
        types.add("object")
        for name, inner in value.items():
            _walk(inner, (*path, name), found)
    elif isinstance(value, list):
        types.add("list")
        is_vector = len(value) >= the_rules().vector_length and all(type(one) in (int, float) for one in value)
        for inner in value[:1] if is_vector else value:
            _walk(inner, (*path, _ITEMS), found)
    elif value is not None:
        types.add("boolean" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "text")


def _spelt(path: _Path) -> str:
    """`choices[].message.content`."""
    return "".join(part if part.startswith("[") else f".{part}" for part in path).removeprefix(".")


def _is_filled(shape: Mapping[_Path, set[str]], path: _Path) -> bool:
    """Whether something is there that could have a member: no empty list, and no null."""
    return bool(shape.get(path)) and ("list" not in shape[path] or (*path, _ITEMS) in shape)


def _differ(before: set[str], after: set[str]) -> bool:
    return bool(before) and bool(after) and not (before <= after or after <= before)


def _unlike_calls(before: Said, after: Said) -> frozenset[str]:
    """Names of members that are there only where a tool is called: whether one is, is a question of meaning."""
    calls = [any(one.calls for one in of.choices) for of in (before, after)]
    return _OF_CALLS if calls[0] != calls[1] else frozenset()


def _of_refusals(recorded: Json, now: Json) -> Iterator[Drift]:
    before, after = _refusal(recorded), _refusal(now)
    if (before is None) != (after is None):
        yield Drift("answer", before or "an answer", after or "an answer")
    elif before != after and recorded.get("status") == now.get("status"):
        yield Drift("error", str(before), str(after))


def _refusal(answer: Json) -> str | None:
    """What kind of refusal it is, without its words, which vendors change at will; None for an answer."""
    if not is_refusal(answer):
        return None
    error = answer.get("error") or value_of(answer)
    error = error.get("error", error) if isinstance(error, dict) else error
    facts = error if isinstance(error, dict) else {}
    kind = next((str(facts[name]) for name in ("code", "type", "kind", "status") if facts.get(name)), "")
    return f"a refusal{f' ({kind})' if kind else ''}"


def _of_choices(before: Said, after: Said, alike: float) -> Iterator[Drift]:
    if len(before.choices) != len(after.choices):
        yield Drift("choices", str(len(before.choices)), str(len(after.choices)))
    for place, (one, other) in enumerate(zip(before.choices, after.choices, strict=False)):
        yield from _of_choice(f"choices[{place}]", one, other, alike)


def _of_choice(path: str, one: Choice, other: Choice, alike: float) -> Iterator[Drift]:
    if one.finish != other.finish:
        yield Drift(f"{path}.finish_reason", one.finish or ABSENT, other.finish or ABSENT)
    calls = [list(each.calls.values()) for each in (one, other)]
    names = [[call.name for call in each] for each in calls]
    if names[0] != names[1]:
        yield Drift(f"{path}.tool_calls", *(", ".join(each) or "none" for each in names))
    else:
        for number, (call, again) in enumerate(zip(*calls, strict=True)):
            for each in differences({"arguments": call.value}, {"arguments": again.value}):
                yield Drift(f"{path}.tool_calls[{number}].{each.path}", each.recorded, each.asked)
    for name in ("text", "refusal"):
        texts = getattr(one, name), getattr(other, name)
        # Beside a call, a text is a courtesy that comes and goes.
        if names[0] == names[1] and (not names[0] or name != "text"):
            yield from _of_texts(f"{path}.{name}", *texts, alike)


def _of_texts(path: str, one: str, other: str, alike: float) -> Iterator[Drift]:
    before, after = normal_text(one.strip()), normal_text(other.strip())
    if before != after and (ratio := text_ratio(before, after)) < alike:
        yield Drift(path, _cut(one), f"{_cut(other)} (alike {ratio:.2f})")


def _of_vectors(before: Said, after: Said) -> Iterator[Drift]:
    if len(before.vectors) != len(after.vectors):
        yield Drift("vectors", str(len(before.vectors)), str(len(after.vectors)))
        return
    for place, (one, other) in enumerate(zip(before.vectors, after.vectors, strict=True)):
        if len(one) != len(other):
            yield Drift(f"vectors[{place}]", f"{len(one)} numbers", f"{len(other)} numbers")
        elif (near := cosine(one, other)) < _VECTORS_ALIKE:
            yield Drift(f"vectors[{place}]", "a vector", f"another one (cosine {near:.3f})")


def _of_facts(before: Any, after: Any, alike: float) -> Iterator[Drift]:
    """Of an answer that is no conversation: its switches and its texts, and of what is listed by id, what is gone."""
    if (ids := _ids(before)) is not None and (others := _ids(after)) is not None:
        if gone := sorted(ids - others):
            yield Drift("data[].id", _cut(", ".join(gone)), ABSENT)
        return
    facts, others_facts = dict(_facts(before, "")), dict(_facts(after, ""))
    for path, value in facts.items():
        other = others_facts.get(path)
        if isinstance(value, str) and isinstance(other, str):
            yield from _of_texts(path, value, other, alike)
        elif other is not None and value != other:
            yield Drift(path, str(value).lower(), str(other).lower())


def _readable(answer: Json) -> Any:
    return {"text": answer["text"]} if "text" in answer else value_of(answer)


def _ids(value: Any) -> set[str] | None:
    """The ids of a list of objects that have some, as `GET /v1/models` answers; None for anything else."""
    items = value.get("data") if isinstance(value, dict) else None
    if not isinstance(items, list) or not items:
        return None
    ids = {one["id"] for one in items if isinstance(one, dict) and isinstance(one.get("id"), str)}
    return ids if len(ids) == len(items) else None


def _facts(value: Any, path: str) -> Iterator[tuple[str, bool | str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in _MAKES_UP and not name.endswith(("_id", "_at")):
                yield from _facts(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _facts(inner, f"{path}[{place}]")
    elif isinstance(value, bool | str):
        yield path, value


def _cut(text: str) -> str:
    shown = msgspec.json.encode(text[:_SHOWN]).decode()
    return f"{shown}…" if len(text) > _SHOWN else shown
