"""A request in words: who answered it, in which attempts, and what took how long. Only what its spans state is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from llama_cli.asking.offered import Offered
from llama_cli.terminal import words
from llama_cli.tracing import choice
from llama_cli.tracing.explained_cost import cost_told, price_of, sum_told
from llama_cli.tracing.money import cost_of
from llama_cli.tracing.spans import (
    Span,
    began,
    beside,
    fact,
    first_s,
    is_attempt,
    is_call,
    is_request,
    is_tool,
    listed,
    number,
    place,
    tokens,
    tokens_per_s,
    took_s,
)
from llama_cli.tracing.times import local, took
from llama_cli.tracing.tree import placed
from runtime.telemetry import conventions as names

_SETTINGS = "gen_ai.request."
_ENGINE = {
    "load": "loading the model took",
    "queue": "waiting for the engine took",
    "prefill": "the prompt",
    "decode": "the answer",
}
"""The steps of an answer of our engine, and what is said of each before the time that it took."""
_NOTHING = Offered()
Json = dict[str, Any]


class _Step(NamedTuple):
    """A call of a provider, or of a tool, with the attempts and the steps of an engine that lie below it and below no
    other.
    """

    span: Span
    attempts: list[Span]
    engine: list[Span]


def explanation(spans: Sequence[Span], now: Offered = _NOTHING) -> Json:
    """The facts of a request and the text that tells them. spans: those of one request. now: what its server has."""
    root = next((span for span in spans if is_request(span)), None)
    steps, alone, missing = _steps(spans)
    first = min(spans, key=began)
    facts: Json = {
        "request_id": None if root is None else fact(root, names.REQUEST_ID),
        "trace_id": first["trace_id"],
        "name": None if root is None else root["name"],
        "began_at": first["start_time"],
        "duration_s": None if root is None else _rounded(took_s(root)),
        "status": None if root is None else fact(root, names.STATUS),
        "overhead_ms": None if root is None else fact(root, names.OVERHEAD_MS),
        "waited_ms": None if root is None else fact(root, names.WAITED_MS),
        "cost_usd": cost_of(spans),
        "error": None if root is None else _refusal(root),
        "warnings": [] if root is None else listed(root, names.WARNINGS),
        "chosen": [] if root is None else listed(root, names.CHOSEN),
        "changed": [] if root is None else listed(root, names.CHANGED),
        "calls": [_call(step, now) for step in steps if is_call(step.span)],
        "tools": [_tool(step) for step in steps if not is_call(step.span)],
        "attempts": [_attempt(span) for span in alone],
        "missing": missing,
    }
    text = [_beginning(root)]
    chosen: set[tuple[object, ...]] = set()
    for step in steps:
        said = _told(step) if is_call(step.span) else _told_of_tool(step)
        how = tuple(fact(step.span, name) for name in (names.API, names.PROVIDER_ID, names.ASKED_FOR))
        if is_call(step.span) and how not in chosen:
            chosen.add(how)
            said = " ".join(filter(None, [said, choice.why(step.span), choice.told(choice.others(step.span, now))]))
        text.append(said)
    if now.unknown:
        text.append(f"Where else it could be had cannot be said: {_sentence(now.unknown)}")
    text += [f"Outside of these, {_attempts(alone)}"] if alone else []
    text += filter(None, [sum_told(spans)])
    if missing:
        are = "is" if missing == 1 else "are"
        text.append(f"{words.counted(missing, 'span')} that others belong to {are} not kept.")
    return {**facts, "text": text}


def _steps(spans: Sequence[Span]) -> tuple[list[_Step], list[Span], int]:
    """Each call, attempts that belong to none, and how many spans are missing."""
    steps: list[_Step] = []
    outside = _Step({}, [], [])
    above: list[_Step] = []  # for each depth, what lies below it belongs there
    rows = placed(spans)
    for depth, span in rows:
        here = above[depth - 1] if depth else outside
        if span is None:
            pass
        elif is_call(span) or is_tool(span):
            here = _Step(span, [], [])
            steps.append(here)
        elif is_attempt(span) and not is_request(span):
            here.attempts.append(span)
        elif span["name"] in _ENGINE:
            here.engine.append(span)
        above[depth:] = [here]
    return steps, outside.attempts, sum(1 for row in rows if row.span is None)


def _refusal(root: Span) -> Json | None:
    """Why a request was refused; None where it was not, or does not say so."""
    code, message, hint = (fact(root, name) for name in (names.ERROR_CODE, names.ERROR_MESSAGE, names.ERROR_HINT))
    return None if code is None else {"code": code, "message": message, "hint": hint}


def _call(step: _Step, now: Offered) -> Json:
    span = step.span
    return {
        "api": fact(span, names.API),
        "operation": fact(span, names.API_OPERATION),
        "provider_id": fact(span, names.PROVIDER_ID),
        "provider_type": fact(span, names.PROVIDER_TYPE),
        "asked_for": fact(span, names.ASKED_FOR),
        "resource_id": fact(span, names.RESOURCE_ID),
        "named_by": choice.named_by(span),
        "others": [asdict(one) for one in choice.others(span, now)],
        "chosen": listed(span, names.CHOSEN),
        "changed": listed(span, names.CHANGED),
        "asked_model": fact(span, names.REQUEST_MODEL),
        "answered_model": fact(span, names.RESPONSE_MODEL),
        "settings": _settings(span),
        "duration_s": _rounded(took_s(span)),
        "first_s": _rounded(first_s(span)),
        "input_tokens": fact(span, names.INPUT_TOKENS),
        "cached_tokens": fact(span, names.CACHE_READ_TOKENS),
        "output_tokens": fact(span, names.OUTPUT_TOKENS),
        "reasoning_tokens": fact(span, names.REASONING_TOKENS),
        "cost_usd": fact(span, names.COST_USD),
        "price": price_of(span),
        "finish_reasons": fact(span, names.FINISH_REASONS) or [],
        "failed": span["status"] == "error",
        "error": span["message"],
        "engine": [{"step": one["name"], "duration_s": _rounded(took_s(one))} for one in step.engine],
        "attempts": [_attempt(one) for one in step.attempts],
    }


def _tool(step: _Step) -> Json:
    span = step.span
    return {
        "name": fact(span, names.TOOL_NAME) or span["name"],
        "duration_s": _rounded(took_s(span)),
        "failed": span["status"] == "error",
        "error": span["message"],
        "attempts": [_attempt(one) for one in step.attempts],
    }


def _attempt(span: Span) -> Json:
    return {
        "server": place(span),
        "method": fact(span, names.METHOD),
        "status": fact(span, names.STATUS),
        "duration_s": _rounded(took_s(span)),
        "failed": span["status"] == "error",
        "error": span["message"],
    }


def _beginning(root: Span | None) -> str:
    if root is None:
        return "The request itself is not kept: it goes on still, or its span was dropped."
    if (job := fact(root, names.JOB_ID)) is not None:
        return _of_job(root, job)
    status, ours, waited = fact(root, names.STATUS), number(root, names.OVERHEAD_MS), number(root, names.WAITED_MS)
    how = f"was answered with status {status}" if status is not None else "ended"
    said = f"`{root['name']}` {how} after {took(took_s(root))}, at {local(root['start_time'])}."
    if (refused := _refusal(root)) is not None:
        said += f" It was refused: {_sentence(refused['message'] or refused['code'])}"
    elif root["status"] == "error" and root["message"] not in (None, str(status)):
        said += f" It failed: {root['message']}."
    if ours is not None and waited is not None:
        said += f" To the first byte of the answer, the server itself took {took(ours / 1000)}"
        said += f" and waited {took(waited / 1000)} for whoever computes it."
    return " ".join([said, *_changes(root)])


def _of_job(root: Span, job: str) -> str:
    """Work that no request waited for."""
    said = f"`{root['name']}` was done in the background for `{job}`, took {took(took_s(root))}"
    said += f" and began at {local(root['start_time'])}."
    if (led := fact(root, names.BEGUN_BY)) is not None:
        said += f" The request `{led}` had led to it."
    if root["status"] == "error":
        said += f" It failed: {_sentence(root['message'] or 'it is not told why')}"
    return said


def _told(step: _Step) -> str:
    """A call of a provider, and its attempts."""
    span = step.span
    provider = f"Provider `{fact(span, names.PROVIDER_ID)}` ({fact(span, names.PROVIDER_TYPE)})"
    answered = fact(span, names.RESPONSE_MODEL)
    what = f"`{fact(span, names.API)}.{fact(span, names.API_OPERATION)}`{_by(span)}"
    if span["status"] == "error":
        why = span["message"] or "it is not told why"
        parts = [f"{provider} was asked for {what} and failed after {took(took_s(span))}: {_sentence(why)}"]
    else:
        parts = [f"{provider} answered {what} in {took(took_s(span))}."]
    if answered is not None and answered != fact(span, names.REQUEST_MODEL):
        parts.append(f"The answer names the model `{answered}`.")
    if settings := _settings(span):
        parts.append(f"It was asked with {', '.join(_setting(name, value) for name, value in settings.items())}.")
    parts += _changes(span)
    if step.attempts:
        parts.append(_attempts(step.attempts))
    if len({one["name"] for one in step.engine}) == len(step.engine) > 0:
        done = (f"{_ENGINE[one['name']]} {took(took_s(one))}" for one in step.engine)
        parts.append(f"Of that, {', '.join(done)}.")
    if (first := first_s(span)) is not None:
        speed = tokens_per_s(span)
        more = "" if speed is None else f", the rest with {speed:.1f} tokens/s"
        parts.append(f"The first piece of its stream came after {took(first)}{more}.")
    reasons = ", ".join(f"`{one}`" for one in dict.fromkeys(fact(span, names.FINISH_REASONS) or ()))
    counted = [tokens(span), f"ended with {reasons}" if reasons else "", *beside(span)]
    if said := ", ".join(filter(None, counted)):
        parts.append(_sentence(said[0].upper() + said[1:]))
    return " ".join(filter(None, [*parts, cost_told(span)]))


def _changes(span: Span) -> list[str]:
    """What was chosen for it, what was changed on its way, and what its answer warns of."""
    told = {"Chosen here": names.CHOSEN, "Changed on the way": names.CHANGED, "Its answer warns": names.WARNINGS}
    return [f"{what}: {_sentence('; '.join(said))}" for what, name in told.items() if (said := listed(span, name))]


def _told_of_tool(step: _Step) -> str:
    span = step.span
    parts = [f"The tool `{fact(span, names.TOOL_NAME) or span['name']}` was called, and took {took(took_s(span))}."]
    if span["status"] == "error":
        parts.append(f"It failed: {_sentence(span['message'] or 'it is not told why')}")
    return " ".join([*parts, _attempts(step.attempts)] if step.attempts else parts)


def _by(span: Span) -> str:
    """Which model, by the provider's own name and by those that it has here."""
    model, asked_for, ours = (fact(span, name) for name in (names.REQUEST_MODEL, names.ASKED_FOR, names.RESOURCE_ID))
    if model is None:
        return ""
    if asked_for is None:
        return f" for the model `{model}`"
    known = f", which is `{ours}`" if ours not in (None, asked_for) else ""
    return (
        f" with its model `{model}`, asked for as `{asked_for}`{known},"
        if asked_for != model
        else f" with its model `{model}`"
    )


def _attempts(attempts: Sequence[Span]) -> str:
    """`3 requests went to api.groq.com: status 429 after 12 ms, status 429 after 9 ms, status 200 after 310 ms.`"""
    said = []
    for server in dict.fromkeys(map(place, attempts)):
        those = [one for one in attempts if place(one) == server]
        ends = ", then ".join(f"{_end(one)} after {took(took_s(one))}" for one in those)
        said.append(f"{words.counted(len(those), 'request')} went to `{server}`: {ends}.")
    return " ".join(said)


def _end(attempt: Span) -> str:
    status = fact(attempt, names.STATUS)
    if status is not None:
        return f"status {status}"
    return f"failed ({attempt['message'] or 'it is not told why'})" if attempt["status"] == "error" else "over"


def _settings(span: Span) -> Json:
    """What the request set, by the names of the conventions, without their beginning."""
    return {
        name.removeprefix(_SETTINGS).replace(".", "_"): value
        for name, value in span["attributes"].items()
        if name.startswith(_SETTINGS) and name != names.REQUEST_MODEL
    }


def _setting(name: str, value: object) -> str:
    return name if value is True else f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}"


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def requests_in(spans: Sequence[Span]) -> list[str]:
    """The ids of the requests in a trace."""
    return [str(fact(span, names.REQUEST_ID)) for span in spans if is_request(span)]
