"""What is done to a request's fields for a vendor, as data: the kinds of rules, and rules that several vendors share.

Imports nothing, since every listing loads the vendors' files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Renamed:
    """A field that the vendor calls otherwise. field: such as `seed` or `messages[].name`. to: its last name there.
    gives_way: whether it is left out where there is something of that name already.
    """

    field: str
    to: str
    why: str
    gives_way: bool = False


@dataclass(frozen=True)
class LeftOut:
    """A field without effect on the answer that the vendor would refuse. unless: another field that, where it is true,
    makes the vendor take it.
    """

    field: str
    why: str
    unless: str = ""


@dataclass(frozen=True)
class Ignored:
    """A field that the vendor cannot honour, although its answer is of use without: left out, with a warning. unless:
    values that are left out without one, because they ask for what the vendor does anyway.
    """

    field: str
    why: str
    unless: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A field that the vendor cannot honour, so that its answer would be wrong: an error. unless: values that are fine,
    because they ask for what the vendor does anyway.
    """

    field: str
    why: str
    unless: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Added:
    """A field that the vendor requires and OpenAI does not have: sent with this value, with a warning, if the request
    has none.
    """

    field: str
    value: Any
    why: str


@dataclass(frozen=True)
class Capped:
    """A number that the vendor takes only up to a limit below OpenAI's: lowered to it, with a warning."""

    field: str
    most: float
    why: str


@dataclass(frozen=True)
class OneOf:
    """A field of which the vendor takes these values only: any other is an error."""

    field: str
    values: tuple[Any, ...]
    why: str


Rule = Renamed | LeftOut | Ignored | Refused | Added | Capped | OneOf

WITHOUT_EFFECT = (
    "user",
    "store",
    "metadata",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
)
"""OpenAI's fields that do not change an answer."""


def left_out(*fields: str, why: str) -> tuple[Rule, ...]:
    """`LeftOut` for several fields with one reason."""
    return tuple(LeftOut(field, why) for field in fields)


def ignored(*fields: str, why: str, unless: tuple[Any, ...] = ()) -> tuple[Rule, ...]:
    """`Ignored` for several fields with one reason."""
    return tuple(Ignored(field, why, unless) for field in fields)


def refused(*fields: str, why: str, unless: tuple[Any, ...] = ()) -> tuple[Rule, ...]:
    """`Refused` for several fields with one reason."""
    return tuple(Refused(field, why, unless) for field in fields)


METADATA_IF_KEPT: Rule = LeftOut("metadata", "refuses it unless it keeps the answer", unless="store")
ONE_LIMIT: Rule = Renamed("max_completion_tokens", "max_tokens", "it has one name for the limit")
ONE_ANSWER: Rule = Refused("n", "gives one answer to a request", unless=(1,))
NO_LOGPROBS = refused("logprobs", "top_logprobs", why="gives no log-probabilities", unless=(False,))
NO_PENALTIES = ignored("frequency_penalty", "presence_penalty", why="has no penalties", unless=(0,))
NO_LOGIT_BIAS: Rule = Ignored("logit_bias", "cannot make tokens more or less likely", unless=({},))
NO_SEED: Rule = Ignored("seed", "has no seed")
NO_VERBOSITY: Rule = Ignored("verbosity", "cannot be told how long to write")
NO_SPEECH: tuple[Rule, ...] = (
    Refused("modalities", "answers with text", unless=(["text"],)),
    Refused("audio", "does not speak"),
)
NO_WEB_SEARCH: Rule = Refused("web_search_options", "does not search the web")
TEXT_ONLY: tuple[Rule, ...] = (*NO_SPEECH, NO_WEB_SEARCH, NO_VERBOSITY)
"""For a vendor whose documentation has none of OpenAI's newest fields."""
NO_FUNCTIONS = refused("functions", "function_call", why="has no older form of `tools`")
REASONING_BACK: Rule = Renamed("messages[].reasoning_content", "reasoning", "it reads its thinking under its own name")
NO_ANSWER_FIELDS: tuple[Rule, ...] = (
    Renamed("messages[].refusal", "content", "it reads a refusal as any other text", gives_way=True),
    LeftOut("messages[].annotations", "it refuses what only OpenAI's own answers have"),
)
"""For a vendor that refuses unknown fields: clients send an answer back as they got it, and so do responses that
continue a refusal; a message without any text would be refused too.
"""
NO_SIGNATURES: Rule = LeftOut("messages[].tool_calls[].extra_content", "it refuses what Gemini wants back with a call")
"""For a vendor that refuses unknown fields: a conversation may have begun at another one."""
