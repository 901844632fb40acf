"""How many tokens of each kind a span counts, each token once: whoever writes a bill has a price for each kind."""

from __future__ import annotations

from collections.abc import Container, Mapping

from runtime.telemetry import conventions as names

INPUT, CACHED, WRITTEN_TO_CACHE, OUTPUT, REASONING = "input", "cached_input", "cache_write", "output", "reasoning"
_USUAL_TIERS = ("auto", "default", "standard", "on_demand")
"""What vendors call the service that their price lists are of; others cost more, or less."""


def tokens_by_kind(said: Mapping[str, object], apart: Container[str]) -> dict[str, int]:
    """Only the kinds of which there are tokens. said: the attributes of a span. apart: the kinds that count by
    themselves; tokens of the others count as what they are part of: as read or as written.

    What was read holds what was cached and what was written to the cache, and what was written holds what was thought:
    so the conventions have it, and each provider's answers are brought to that.
    """
    read, written = _count(said, names.INPUT_TOKENS), _count(said, names.OUTPUT_TOKENS)
    found: dict[str, int] = {}
    for kind, name in ((CACHED, names.CACHE_READ_TOKENS), (WRITTEN_TO_CACHE, names.CACHE_WRITE_TOKENS)):
        if kind in apart:
            found[kind] = min(_count(said, name), read)
            read -= found[kind]
    if REASONING in apart:
        found[REASONING] = min(_count(said, names.REASONING_TOKENS), written)
        written -= found[REASONING]
    found |= {INPUT: read, OUTPUT: written}
    return {kind: found[kind] for kind in (INPUT, CACHED, WRITTEN_TO_CACHE, OUTPUT, REASONING) if found.get(kind)}


def unusual_in(said: Mapping[str, object]) -> str:
    """What has a price of its own, so that a price a token does not hold for a call; empty for most calls."""
    if said.get(names.AUDIO_IN) or said.get(names.AUDIO_OUT):
        return "audio"
    tier = said.get(names.SERVICE_TIER)
    return "" if tier is None or tier in _USUAL_TIERS else f"the service tier `{tier}`"


def _count(said: Mapping[str, object], name: str) -> int:
    value = said.get(name)
    return value if isinstance(value, int) and value > 0 else 0
