"""The language of faults: what goes wrong on purpose, with which provider, and how often.

    openai: 429 10%, timeout 2%, cut-stream 1%, slow 3s; vector_io/chromadb: down 5s; *: 503 every 20

An entry is a provider and its faults: the provider's id, `api/id`, or `*`. Of several entries that mean a provider, the
closest one counts alone: `api/id` before the id, the id before `*`. What never says how often happens each time.

Reads texts; which providers there are is asked of `check_providers` alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from runtime.durations import parse_duration
from runtime.errors import ConfigInvalid, Problem
from runtime.similar import hint_for_provider, nearest, suggestion

HEADER = "X-LlamaStack-Inject"
"""What is to go wrong in one request alone, in the same language."""
HEADER_ALONE = "header"
"""In place of a text: the server injects nothing but what requests ask for by their header."""
EVERY = "*"
Kind = Literal["status", "timeout", "unreachable", "cut-stream", "bad-json", "slow", "down"]
KINDS: tuple[Kind, ...] = ("timeout", "unreachable", "cut-stream", "bad-json", "slow", "down")
INSTEAD: tuple[Kind, ...] = ("status", "timeout", "unreachable")
"""What comes in place of an answer."""
OF_ANSWERS: tuple[Kind, ...] = ("cut-stream", "bad-json")
"""What happens to an answer that has come."""
_KNOWN = "400 to 599, timeout, unreachable, cut-stream, bad-json, slow DURATION, down [DURATION]"
_HOW_OFTEN = "how often is `10%`, `every 3` or `first 2`; each time where nothing is said"
_EXAMPLE = "write PROVIDER: FAULT, ..., as in `openai: 429 10%, slow 3s; chromadb: down 5s`"
_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)%")
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_STATUS = re.compile(r"[0-9]{3}")
_LONGEST_S = 86_400.0
_LONGEST_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class Fault:
    """name: as it is told, `429` or `slow 3s`. status: of the answer. seconds: how long; None for `down` without end.

    How often: the requests that are a multiple of `every`, or the `first` ones, or a share, from 0 to 1, of all.
    """

    name: str
    kind: Kind
    status: int = 0
    seconds: float | None = None
    share: float = 1.0
    every: int = 0
    first: int = 0

    @property
    def is_counted(self) -> bool:
        return bool(self.every or self.first)

    def is_due(self, number: int) -> bool:
        """Whether one that is counted comes this time. number: from 1."""
        return number <= self.first if self.first else number % self.every == 0


@dataclass(frozen=True, kw_only=True)
class Rule:
    """provider: an id, `api/id` or `*`. where: the option or header that says so, for messages."""

    provider: str
    faults: tuple[Fault, ...]
    where: str


class _Wrong(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def read_faults(texts: Iterable[str], *, where: str = "--inject") -> tuple[Rule, ...]:
    """Raises ConfigInvalid, with every problem."""
    rules: dict[str, Rule] = {}
    problems: list[Problem] = []
    for text in texts:
        if where.startswith("--") and text.strip() == HEADER_ALONE:
            continue
        entries = [entry.strip() for entry in text.split(";")]
        if not any(entries):
            hint = f"is a variable not set that stands there? {_EXAMPLE}"
            problems.append(Problem(message="nothing is said to go wrong", path=where, hint=hint))
        for entry in filter(None, entries):
            provider, rule = _rule(entry, where, problems)
            if provider and provider in rules:
                hint = "write its faults in one entry, with commas between them"
                problems.append(Problem(message=f"`{_cut(provider)}` has two entries", path=where, hint=hint))
            if rule is not None:
                rules.setdefault(provider, rule)
    if problems:
        raise ConfigInvalid(problems, what="list of faults")
    return tuple(rules.values())


def check_providers(rules: Iterable[Rule], names: Iterable[str], off: Mapping[str, str]) -> None:
    """Raises ConfigInvalid for providers that there are not. names: those of a stack, as `api/id`. off: how to turn on
    each that is off, by its id.
    """
    full = set(names)
    ids = {name.partition("/")[2] for name in full}
    problems = []
    for rule in rules:
        if rule.provider != EVERY and rule.provider not in full | ids:
            api, slash, _ = rule.provider.rpartition("/")
            of_api = {name for name in full if name.startswith(f"{api}/")}
            known = of_api or full if slash else ids
            hint = hint_for_provider(rule.provider, known, off)
            message = f"there is no provider `{_cut(rule.provider)}`"
            problems.append(Problem(message=message, path=rule.where, hint=hint))
    if problems:
        raise ConfigInvalid(problems, what="list of faults")


def closest(rules: Sequence[Rule], name: str, *, of_every: bool) -> tuple[Fault, ...]:
    """The faults of the provider `api/id`. of_every: whether `*` means it."""
    for meant in (name, name.partition("/")[2], *([EVERY] if of_every else [])):
        for rule in rules:
            if rule.provider == meant:
                return rule.faults
    return ()


def _rule(entry: str, where: str, problems: list[Problem]) -> tuple[str, Rule | None]:
    """What an entry says, and of whom; empty where that is not said."""
    provider, colon, listed = (part.strip() for part in entry.rpartition(":"))
    if not colon or not provider:
        message = f"`{_cut(entry)}` does not say which provider"
        problems.append(Problem(message=message, path=where, hint=_EXAMPLE))
        return "", None
    faults: list[Fault] = []
    found = len(problems)
    of_request = not where.startswith("--")
    for text in listed.split(","):
        try:
            faults.append(_fault(text.strip(), of_request=of_request))
        except _Wrong as wrong:
            problems.append(Problem(message=f"`{_cut(provider)}`: {wrong.message}", path=where, hint=wrong.hint))
    for kinds in (INSTEAD, OF_ANSWERS):
        shares = [fault.share for fault in faults if fault.kind in kinds and not fault.is_counted]
        if sum(shares) > 1 + 1e-9:
            names = ", ".join(fault.name for fault in faults if fault.kind in kinds and not fault.is_counted)
            message = f"`{_cut(provider)}`: the shares of {names} add up to {100 * sum(shares):.6g}%"
            hint = f"a request has one of them, so that they are 100% at most; {_HOW_OFTEN}"
            problems.append(Problem(message=message, path=where, hint=hint))
    return provider, Rule(provider=provider, faults=tuple(faults), where=where) if len(problems) == found else None


def _fault(text: str, *, of_request: bool) -> Fault:
    """One fault. of_request: whether it is for one request alone. Raises _Wrong."""
    name, *words = text.split() or [""]
    if not name:
        raise _Wrong("a fault is missing", f"a fault is {_KNOWN}")
    if _STATUS.fullmatch(name):
        if not 400 <= int(name) <= 599:
            raise _Wrong(f"{name} is not the status of a failure", "those are 400 to 599")
        return Fault(name=name, kind="status", status=int(name), **_how_often(name, words))
    kind = next((kind for kind in KINDS if kind == name), None)
    if kind is None:
        close = suggestion(nearest(name, KINDS)) if len(name) <= _LONGEST_SHOWN else None
        raise _Wrong(f"`{_cut(name)}` is no fault", close or f"a fault is {_KNOWN}")
    if kind == "down":
        return _down(words, of_request=of_request)
    if kind != "slow":
        return Fault(name=name, kind=kind, **_how_often(name, words))
    if not words or _SHARE.fullmatch(words[0]) or words[0] in ("every", "first"):
        raise _Wrong("`slow` does not say how slow", "as in `slow 3s`")
    return Fault(
        name=f"slow {words[0]}", kind=kind, seconds=_seconds(words[0]), **_how_often(f"slow {words[0]}", words[1:])
    )


def _down(words: Sequence[str], *, of_request: bool) -> Fault:
    if of_request:
        raise _Wrong("a server is down for all requests, not for one", "write `unreachable`")
    if words and (len(words) > 1 or _SHARE.fullmatch(words[0])):
        raise _Wrong(
            f"`down` is for all requests, and `{_cut(' '.join(words))}` is not how long",
            "as in `down 5s`, counted from the start of the server; for some requests write `unreachable 10%`",
        )
    return Fault(name="down", kind="down", seconds=_seconds(words[0]) if words else None)


def _how_often(name: str, words: Sequence[str]) -> dict[str, Any]:
    """The fields of a fault that say how often it comes. Raises _Wrong."""
    if not words:
        return {}
    if len(words) == 1 and (found := _SHARE.fullmatch(words[0])):
        if not 0 < float(found[1]) <= 100:
            raise _Wrong(f"`{words[0]}` is no share of requests", "it is more than 0% and at most 100%")
        return {"share": float(found[1]) / 100}
    if len(words) == 2 and words[0] in ("every", "first") and _COUNT.fullmatch(words[1]):
        return {words[0]: int(words[1])}
    if _is_duration(words[0]):
        waits = f"; `slow {_cut(words[0])}, {name}` waits first" if name in ("timeout", "unreachable") else ""
        raise _Wrong(f"`{name}` has no duration", f"{_HOW_OFTEN}{waits}")
    raise _Wrong(f"`{name} {_cut(' '.join(words))}` does not say how often", _HOW_OFTEN)


def _is_duration(text: str) -> bool:
    try:
        return parse_duration(text) >= 0 and not text[-1].isdigit()
    except ValueError:
        return False


def _seconds(text: str) -> float:
    """Raises _Wrong."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise _Wrong(f"`{_cut(text)}` is not a duration", "write it as in `300ms`, `3s` or `1m30s`") from error
    if seconds > _LONGEST_S:
        raise _Wrong(f"`{_cut(text)}` is longer than a day", "write it as in `300ms`, `3s` or `1m30s`")
    return seconds


def _cut(text: str) -> str:
    """As a message quotes it."""
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
