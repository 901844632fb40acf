"""Names like one that is not known, for hints. Imports nothing else of ours."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches

LONGEST_NAME = 512
"""The most characters of a name in a request; nothing has a longer name."""
_MAX_SEARCHED, _MAX_COMPARED = 20_000, 100
"""How many known names are searched for similar ones, and how many of these are compared in detail."""
_PIECES, _MAX_LISTED = 8, 30
_LIKE = 0.8
"""How alike two segments of paths are, from 0 to 1, where one is probably meant as the other."""
_CHEAP_S, _PAUSE = 0.002, 10
"""Seconds, and a factor. If a search takes longer than this, no search follows for that many times its duration: with
thousands of names, many requests for unknown ones would otherwise delay all others.
"""


class SimilarNames:
    """Searches them, unless a search took too long a moment ago. search: as `did_you_mean`."""

    def __init__(self, search: Callable[[str, Sequence[str]], str | None] | None = None) -> None:
        self._search = search or did_you_mean
        self._look_again_at = 0.0

    def to(self, name: str, known: Callable[[], Iterable[str]]) -> str | None:
        """A hint that names those of `known` that are like `name`; None where there are none, or no search is made."""
        if time.monotonic() < self._look_again_at:
            return None
        began = time.thread_time()
        close = self._search(name, list(known()))
        cost_s = time.thread_time() - began
        if cost_s > _CHEAP_S:
            self._look_again_at = time.monotonic() + _PAUSE * cost_s
        return close


def nearest(name: str, known: Sequence[str], *, limit: int = 3) -> list[str]:
    """The names in `known` that are most similar to `name`, best first, and never `name` itself.

    A prefix (`remote::`, `openai/`) is ignored if both names have it, or only one. Takes at most a few milliseconds: of
    very many names, only the likeliest are compared.
    """
    if len(name) > LONGEST_NAME:
        return []
    likely = [candidate for candidate in _likely(name, known) if candidate != name]
    whole = {candidate.lower(): candidate for candidate in likely if _prefix(candidate) != _prefix(name)}
    by_tail: dict[str, str] = {}
    for candidate in likely:
        by_tail.setdefault(_tail(candidate), candidate)
    tails = get_close_matches(_tail(name), by_tail, n=limit, cutoff=0.6)
    found = get_close_matches(name.lower(), whole, n=limit, cutoff=0.6)
    return list(dict.fromkeys([by_tail[match] for match in tails] + [whole[match] for match in found]))[:limit]


def _likely(name: str, known: Sequence[str]) -> Sequence[str]:
    """The names that contain most of the three-character pieces of `name`, since similar names share some."""
    if len(known) <= _MAX_COMPARED:
        return known
    tail = _tail(name)
    pieces = {tail[at : at + 3] for at in range(0, max(1, len(tail) - 2), max(1, len(tail) // _PIECES))}
    lowered = [(candidate, candidate.lower()) for candidate in known[:_MAX_SEARCHED]]
    shared: Counter[str] = Counter()
    for piece in pieces:
        shared.update([candidate for candidate, text in lowered if piece in text])
    return [candidate for candidate, _ in shared.most_common(_MAX_COMPARED)]


def did_you_mean(name: str, known: Sequence[str]) -> str | None:
    """`did you mean `a` or `b`?` with the names in `known` that are similar to `name`; None if there are none."""
    return suggestion(nearest(name, known))


def similar_paths(path: str, known: Sequence[str]) -> str | None:
    """The same for a path: the known ones whose segments are each like its own. A field, such as `{model_id}`, is like
    any segment.
    """
    segments = path.split("/")
    if len(path) > LONGEST_NAME:
        return None
    alike = {one: _likeness(one.split("/"), segments) for one in known if one.count("/") == len(segments) - 1}
    close = sorted((one for one, likeness in alike.items() if likeness >= _LIKE), key=lambda one: -alike[one])
    return suggestion(close[:2])


def _likeness(template: Sequence[str], segments: Sequence[str]) -> float:
    """That of the segment which is least like its counterpart, from 0 to 1."""
    pairs = zip(template, segments, strict=True)
    return min(
        (SequenceMatcher(None, one, given).ratio() for one, given in pairs if one != given and not one.startswith("{")),
        default=0.0,  # one that differs in no segment is asked in another way
    )


def names_for(name: str, known: Iterable[str]) -> str | None:
    """The same; other names, up to 30, if none is similar; None if there are none."""
    names = sorted(other for other in known if other != name)
    more = f" and {len(names) - _MAX_LISTED} more" if len(names) > _MAX_LISTED else ""
    return did_you_mean(name, names) or (f"there are {', '.join(names[:_MAX_LISTED])}{more}" if names else None)


def hint_for_provider(provider_id: str, known: Iterable[str], off: Mapping[str, str]) -> str | None:
    """The same for a provider's id. off: the ids of those that are off, each with how to turn it on."""
    return hint_if_off(provider_id, off) or names_for(provider_id, known)


def hint_if_off(provider_id: str, off: Mapping[str, str]) -> str | None:
    """How to turn a provider on; None if it is not among those that are off."""
    turn_on = off.get(provider_id)
    return f"provider `{provider_id}` is off: {turn_on}, and start the server again" if turn_on else None


def hint_if_served_by_none_on(name: str, would_serve: Mapping[str, str]) -> str | None:
    """How to turn on a provider of a resource; None if none that is off has it. would_serve: by the resource's name."""
    turn_on = would_serve.get(name)
    return f"each provider that has it is off: {turn_on}, and start the server again" if turn_on else None


def suggestion(names: Sequence[str]) -> str | None:
    """The text of `did_you_mean` for names that were already found."""
    return f"did you mean {' or '.join(f'`{name}`' for name in names)}?" if names else None


def _tail(name: str) -> str:
    return name.split("::", 1)[-1].rsplit("/", 1)[-1].lower()


def _prefix(name: str) -> str:
    return name.lower().removesuffix(_tail(name))
