"""A chat request as one of Messages. https://platform.claude.com/docs/en/api/messages/create (read November 2026)

Fields of Anthropic's own are taken as they are, and go before what one of OpenAI's means. A field that nobody knows is
sent on, and Anthropic says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from runtime.errors import RequestError
from runtime.providers.inference._messages.blocks import CACHED
from runtime.providers.inference._messages.conversation import conversation_of
from runtime.providers.inference._messages.forms import fit_form
from runtime.providers.inference._messages.models import Model
from runtime.providers.inference._messages.sampling import fit_end, fit_sampling
from runtime.providers.inference._messages.thinking import fit_thinking
from runtime.providers.inference._messages.tool_use import fit_tools
from runtime.sse import Json

_TIERS = {"auto": "auto", "priority": "auto", "default": "standard_only", "standard_only": "standard_only"}
"""OpenAI's tiers and Anthropic's; of others there are none. https://platform.claude.com/docs/en/api/service-tiers"""
_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", CACHED)
"""What is asked for a count of tokens: https://platform.claude.com/docs/en/api/messages/count_tokens"""
_BETA = re.compile(r"[a-zA-Z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request. headers: what `betas` become. has_answer_tool: whether a tool stands for the form of the answer."""

    body: Json
    headers: dict[str, str]
    has_answer_tool: bool

    @property
    def counted(self) -> Json:
        """The body of a request that has its tokens counted."""
        return {name: self.body[name] for name in _COUNTED if name in self.body}


def asked_of(body: Json, model: Model, provider_id: str) -> Asked:
    """body: OpenAI's fields, and perhaps others, by the rules of `spec.py`; it is used up. Raises RequestError for what
    cannot be asked in Messages.
    """
    headers = _headers(body.pop("betas", None))
    said = conversation_of(body.pop("messages"), provider_id, late_system=model.late_system)
    made: Json = {"model": body.pop("model"), "messages": said.turns, **fit_end(body, model, provider_id)}
    if system := _own_system(body.pop("system", None)) + said.system:
        made["system"] = system
    made |= fit_tools(body, model, provider_id)
    has_answer_tool = fit_form(body.pop("response_format", None), made, model, provider_id)
    thinking = fit_thinking(
        body.pop("reasoning_effort", None),
        model,
        most_tokens=made["max_tokens"],
        is_forced=_kind(made, "tool_choice") in ("any", "tool"),
        may_have_budget=not said.goes_on_without_thought,
        provider_id=provider_id,
    )
    _merge(made, thinking)
    _merge(made, {name: body.pop(name) for name in ("thinking", "output_config") if body.get(name) is not None})
    is_thinking = _kind(made, "thinking") in ("enabled", "adaptive")
    made |= fit_sampling(body, model, is_thinking=is_thinking, provider_id=provider_id)
    made |= _metadata(body) | _tier(body.pop("service_tier", None))
    if not body.get("stream"):
        body.pop("stream", None)
    return Asked(body=made | body, headers=headers, has_answer_tool=has_answer_tool)


def _own_system(given: Any) -> list[Json]:
    """What a system says by Anthropic's own field: a text, or blocks. Raises RequestError for anything else."""
    if isinstance(given, str):
        return [{"type": "text", "text": given}] if given.strip() else []
    if given is not None and not (isinstance(given, list) and all(isinstance(one, dict) for one in given)):
        raise RequestError("`system` is a text, or a list of blocks of text", param="system")
    return list(given or ())


def _kind(made: Json, name: str) -> Any:
    value = made.get(name)
    return value.get("type") if isinstance(value, dict) else None


def _merge(made: Json, more: Json) -> None:
    """What is in both goes together; of one name the later one counts."""
    for name, value in more.items():
        is_added = name == "output_config" and isinstance(value, dict)
        made[name] = {**made.get(name, {}), **value} if is_added else value


def _metadata(body: Json) -> Json:
    """Who asks. Other metadata are OpenAI's, and have no effect."""
    given = body.pop("metadata", None)
    callers = [body.pop(name, None) for name in ("safety_identifier", "user")]
    own = given.get("user_id") if isinstance(given, dict) else None
    found = next((one for one in (own, *callers) if one), None)
    return {"metadata": {"user_id": found}} if found else {}


def _tier(given: Any) -> Json:
    tier = _TIERS.get(given) if isinstance(given, str) else None
    return {"service_tier": tier} if tier else {}


def _headers(betas: Any) -> dict[str, str]:
    """Anthropic's clients have a field for this header."""
    if betas is None:
        return {}
    names = betas if isinstance(betas, list) else [betas]
    if not all(isinstance(name, str) and _BETA.fullmatch(name) for name in names):
        raise RequestError("`betas` is a list of names, such as `context-management-2025-06-27`", param="betas")
    return {"anthropic-beta": ",".join(names)} if names else {}
