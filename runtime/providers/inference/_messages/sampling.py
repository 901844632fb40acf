"""How an answer is chosen, and where it ends.

https://platform.claude.com/docs/en/api/messages/create,
https://platform.claude.com/docs/en/build-with-claude/thinking#sampling-parameters (read November 2026)
"""

from __future__ import annotations

from collections.abc import Iterable

from runtime.context import warn
from runtime.providers.inference._messages.models import Model
from runtime.providers.inference._openai_compatible.outgoing_fields import refusal
from runtime.sse import Json

_USUAL_TOKENS = 4096
"""What every model can give: https://platform.claude.com/docs/en/models/overview"""
_NEUTRAL = {"temperature": 1, "top_p": 0.99, "top_k": float("inf")}
"""From which value on nothing is asked for."""
_WHILE_THINKING = {**_NEUTRAL, "top_p": 0.95}


def fit_sampling(body: Json, model: Model, *, is_thinking: bool, provider_id: str) -> Json:
    """The fields that are taken from `body`. What a model does not take is left out, with a warning where it asks for
    something.
    """
    made: Json = {name: body.pop(name) for name in _NEUTRAL if body.get(name) is not None}
    if model.samples == "none":
        _leave_out(made, made, _NEUTRAL, f"`{provider_id}` has no such setting for this model")
        return {}
    if is_thinking:
        lost = [name for name in made if name != "top_p" or made[name] < _WHILE_THINKING[name]]
        _leave_out(made, lost, _WHILE_THINKING, f"`{provider_id}` has no such setting while a model thinks")
    if model.samples == "one" and {"temperature", "top_p"} <= made.keys():
        _leave_out(made, ["top_p"], {"top_p": 1}, f"`{provider_id}` takes it or `temperature`, not both")
    return made


def fit_end(body: Json, model: Model, provider_id: str) -> Json:
    """`max_tokens`, which Anthropic requires, and `stop_sequences`. Raises RequestError for blank text to stop at."""
    most, stop = body.pop("max_tokens", None), body.pop("stop", None)
    if most is None and (most := model.most_tokens) is None:
        most = _USUAL_TOKENS
        warn(f"`max_tokens` was not given, and `{provider_id}` requires it: {most} was sent")
    made: Json = {"max_tokens": most}
    if stops := [stop] if isinstance(stop, str) else stop:
        if any(not one.strip() for one in stops):
            raise refusal("stop", provider_id, "does not stop at blank text")
        made["stop_sequences"] = stops
    return made


def _leave_out(made: Json, names: Iterable[str], neutral: dict[str, float], why: str) -> None:
    for name in [*names]:
        value = made.pop(name)
        if not isinstance(value, int | float) or value < neutral[name]:
            warn(f"`{name}` has no effect: {why}")
