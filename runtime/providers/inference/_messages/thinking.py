"""How long a model thinks: by itself, with an effort that it is told, or with a budget of tokens.

https://platform.claude.com/docs/en/build-with-claude/thinking,
https://platform.claude.com/docs/en/build-with-claude/extended-thinking,
https://platform.claude.com/docs/en/build-with-claude/thinking-tool-workflows,
https://platform.claude.com/docs/en/build-with-claude/effort (read November 2026)
"""

from __future__ import annotations

from runtime.context import warn
from runtime.providers.inference._messages.models import EFFORTS, Model
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

_LEVELS = {"minimal": "low", **{effort: effort for effort in EFFORTS}}
_BUDGETS = {"low": 1024, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768}
"""Tokens of thinking. Beyond 32k Anthropic advises against waiting for an answer."""
_LEAST = 1024


def fit_thinking(
    effort: str | None, model: Model, *, most_tokens: int, is_forced: bool, may_have_budget: bool, provider_id: str
) -> Json:
    """`thinking` and `output_config` for a `reasoning_effort`. What was thought is told, unless nothing is to be.
    most_tokens: of thinking and answer together. is_forced: whether a tool has to be called, with which no model is
    asked to think. may_have_budget: whether the conversation goes with a budget. Raises RequestError for an effort that
    nobody has.
    """
    if effort is None:
        return {}
    if effort == "none":
        return _none(model, provider_id)
    if effort not in _LEVELS:
        known = ", ".join(f"`{one}`" for one in ("none", *_LEVELS))
        raise refusal("reasoning_effort", provider_id, f"has only {known}")
    level = _LEVELS[effort]
    made: Json = {"output_config": {"effort": _nearest(level, model, provider_id)}} if model.efforts else {}
    if model.thinks == "adaptive" and not is_forced:
        return {"thinking": {"type": "adaptive", "display": "summarized"}, **made}
    if model.thinks == "budget" and not is_forced and may_have_budget and most_tokens > _LEAST:
        # Half of the tokens are left for the answer.
        budget = max(_LEAST, min(_BUDGETS[level], most_tokens // 2))
        return {"thinking": {"type": "enabled", "budget_tokens": budget}, **made}
    if not made:
        why = "has no thinking in this model" if model.thinks is None else "cannot think in this request"
        warn(f"`reasoning_effort` has no effect: `{provider_id}` {why}")
    return made


def _none(model: Model, provider_id: str) -> Json:
    if model.thinks is None:
        return {}
    if model.off is not None:
        return {"thinking": {"type": model.off}}
    if not model.efforts:
        warn(f"`reasoning_effort` has no effect: `{provider_id}` has models that always think")
        return {}
    warn(f"`reasoning_effort` was raised to `{model.efforts[0]}`: `{provider_id}` has models that always think")
    return {"output_config": {"effort": model.efforts[0]}}


def _nearest(level: str, model: Model, provider_id: str) -> str:
    """The level itself, or the next one below that the model has."""
    below = [effort for effort in model.efforts if EFFORTS.index(effort) <= EFFORTS.index(level)]
    found = below[-1] if below else model.efforts[0]
    if found != level:
        warn(f"`reasoning_effort` was changed to `{found}`: `{provider_id}` has no `{level}` for this model")
    return found
