"""Traces of a running stack: what its requests led to. Knows the routes of telemetry. Prints nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from llama_cli.asking import ask
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console, words
from llama_cli.terminal.progress import waiting
from runtime.clock import utc_now
from runtime.telemetry import conventions as names

_ROUTES = "/v1/telemetry"
_POLL_S = 0.5
_FOLLOWED_FOR = timedelta(hours=1)
"""How long a request can take that is still told of when it ends: the server does not look at older ones each time."""
_OURS = "req_"
"""What ids of requests begin with where the caller has given none; lists leave it out."""
_MOST, _MOST_SPANS = 1000, 10_000
_OF_TRACE = {
    *("trace_id", "request_id", "name", "start_time", "end_time", "http_status", "model"),
    *("input_tokens", "output_tokens", "message", "span_count"),
}
_OF_SPAN = {"span_id", "trace_id", "parent_span_id", "name", "kind", "start_time", "end_time", "status", "message"}
"""What each has in an answer of a server of ours."""
_READ_S = 60.0
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which of them. failed: only those that did. model: that was asked for, by any of its names. since: that began
    then or later. number: the most, the newest of all.
    """

    failed: bool = False
    model: str | None = None
    since: datetime | None = None
    number: int = 20


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The spans of a trace, in the order in which they began. root: the span of the request that was meant, if it was
    one of those. is_whole: whether these are all; of a trace with very many, the first are told.
    """

    trace_id: str
    root: str | None
    spans: list[Row]
    is_whole: bool


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a query has found."""

    columns: list[str]
    rows: list[list[Any]]
    has_more: bool


def newest(url: str, wanted: Wanted) -> list[Row]:
    """The last ones, the newest at the end. Raises Failure as `ask.request` does, and where the server keeps none."""
    if not wanted.number:
        return []
    with waiting(f"asking {url}"):
        found = _traces(url, wanted, order="-start_time", number=wanted.number)
    return sorted(found, key=lambda one: _time(one["start_time"]))[-wanted.number :]


def followed(url: str, wanted: Wanted, *, is_read: Callable[[], bool]) -> Iterator[Row]:
    """First the last ones, then each as it ends, for as long as somebody reads them. One that has ended, and of which
    something ends later, is told again: several requests can belong to the trace of their caller.
    """

    def ended() -> list[Row]:
        recent = Wanted(failed=wanted.failed, model=wanted.model, since=utc_now() - _FOLLOWED_FOR)
        found = _traces(url, recent, order="-end_time", number=_MOST, is_look=True)
        return sorted((one for one in found if one["http_status"] is not None), key=lambda one: _time(one["end_time"]))

    def keys(rows: Sequence[Row]) -> set[tuple[str, str]]:
        return {(one["trace_id"], one["end_time"]) for one in rows}

    seen = keys(ended())
    first = newest(url, wanted)
    yield from first
    seen |= keys(first)
    while is_read():
        time.sleep(_POLL_S)
        rows = ended()
        for one in rows:
            if (one["trace_id"], one["end_time"]) not in seen:
                yield one
        seen = keys(rows)


def kept(url: str, id: str) -> Kept:
    """A trace, or one of its requests. id: its own, that of a request, or how one begins; or that of an answer.

    Raises Failure (USAGE) where none or several have it.
    """
    with waiting(f"asking {url}"):
        trace_id, root = _meant(url, id)
        spans = _spans(url, [_condition("trace_id", "eq", trace_id)])
    if not spans:  # too old to be kept, since it was found
        raise _unknown(id)
    return Kept(trace_id=trace_id, root=root, spans=spans, is_whole=len(spans) < _MOST_SPANS)


def queried(url: str, sql: str, *, number: int, is_look: bool = False) -> Found:
    """Raises Failure as `ask.request` does, and where the server keeps no traces."""
    try:
        with waiting(f"asking {url}"):
            document = _posted(url, "query", {"sql": sql, "limit": number}, _is_answer, is_look=is_look)
    except ask.Refusal as refused:
        if refused.status == 403:
            raise Failure(refused.message, hint="`llama stack traces` lists your own", code=refused.code) from refused
        raise
    return Found(columns=document["columns"], rows=document["rows"], has_more=document["has_more"])


def _meant(url: str, id: str) -> tuple[str, str | None]:
    """A trace, and the span of the request in it where that is what was named. Raises Failure (USAGE)."""
    is_hex = bool(id) and set(id) <= set("0123456789abcdef")
    if id and not id.startswith(_OURS):
        body = {"attribute_filters": [_condition("trace_id", "starts_with", id)], "limit": 4}
        traces = [one["trace_id"] for one in _posted(url, "traces", body, _are_traces)["data"]]
        if traces:
            return _only(id, traces, "traces"), None
    requests: list[Row] = []
    for beginning in (id, *([f"{_OURS}{id}"] if is_hex else [])) if id else ():
        # The first is cheap to tell, and the second only the request itself has.
        both = [_condition(key, "starts_with", beginning) for key in ("request_id", names.REQUEST_ID)]
        requests = requests or _spans(url, both)
    asked = {str(span["attributes"][names.REQUEST_ID]) for span in requests}
    if not asked and id and (answers := _that_made(url, id)):
        trace_id = _only(id, sorted({span["trace_id"] for span in answers}), "traces")
        return trace_id, next((one["span_id"] for one in answers if names.REQUEST_ID in one["attributes"]), None)
    if not asked:
        raise _unknown(id)
    request_id = _only(id, sorted(asked), "requests")
    roots = [span for span in requests if span["attributes"][names.REQUEST_ID] == request_id]
    if len(traces := sorted({span["trace_id"] for span in roots})) > 1:
        message = f"{words.counted(len(traces), 'request')} have the id `{request_id}`"
        hint = f"choose one by its trace: {words.some(traces, 3)}"
        raise Failure(message, hint=hint, code=ExitCode.USAGE)
    return roots[0]["trace_id"], roots[0]["span_id"] if len(roots) == 1 else None


def _unknown(id: str) -> Failure:
    hint = "`llama stack traces` lists the last ones"
    return Failure(f"no request and no trace that is kept begins with `{id}`", hint=hint, code=ExitCode.USAGE)


def _that_made(url: str, id: str) -> list[Row]:
    """The spans of the request and of the call that made an answer; whoever reads it later made nothing."""
    found = _spans(url, [_condition(names.RESPONSE_ID, "eq", id)])
    return [span for span in found if {names.OPERATION, names.REQUEST_ID} & span["attributes"].keys()]


def _only(id: str, ids: Sequence[str], what: str) -> str:
    """The id that is that, or else the only one. Raises Failure (USAGE)."""
    if id in ids or len(ids) == 1:
        return id if id in ids else ids[0]
    hint = f"give more of it: {words.some(ids, 3)}"
    raise Failure(f"several {what} begin with `{id}`", hint=hint, code=ExitCode.USAGE)


def _traces(url: str, wanted: Wanted, *, order: str, number: int, is_look: bool = False) -> list[Row]:
    """In that order, where no model is wanted; else in any."""
    body: dict[str, Any] = {"failed": wanted.failed, "order_by": [order], "limit": number}
    if wanted.since is not None:
        body["since"] = wanted.since.isoformat()
    found: dict[str, Row] = {}
    for conditions in _of_model(wanted.model):
        wanted_here = {**body, "attribute_filters": conditions}
        rows = _posted(url, "traces", wanted_here, _are_traces, is_look=is_look)["data"]
        found |= {one["trace_id"]: one for one in rows}
    return list(found.values())


def _of_model(model: str | None) -> list[list[Row]]:
    """What a span has to satisfy: any of these. A model has the name that was asked for, ours, and its provider's."""
    if model is None:
        return [[]]
    return [[_condition(key, "eq", model)] for key in (names.ASKED_FOR, names.RESOURCE_ID, names.REQUEST_MODEL)]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _condition(key: str, op: str, value: str) -> Row:
    return {"key": key, "op": op, "value": value}


def _spans(url: str, conditions: Sequence[Row]) -> list[Row]:
    body = {"attribute_filters": conditions, "limit": _MOST_SPANS}
    found: list[Row] = _posted(url, "spans", body, _are_spans)["data"]
    return found


def _are_traces(document: Any) -> bool:
    return _are_rows(document, _OF_TRACE)


def _are_spans(document: Any) -> bool:
    return _are_rows(document, _OF_SPAN) and all(isinstance(one.get("attributes"), dict) for one in document["data"])


def _are_rows(document: Any, fields: set[str]) -> bool:
    rows = document.get("data") if isinstance(document, dict) else None
    return isinstance(rows, list) and all(isinstance(one, dict) and fields <= one.keys() for one in rows)


def _is_answer(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and isinstance(document.get("columns"), list)
        and isinstance(rows := document.get("rows"), list)
        and all(isinstance(row, list) and len(row) == len(document["columns"]) for row in rows)
        and "has_more" in document
    )


def _posted(url: str, what: str, body: Row, is_meant: Callable[[Any], bool], *, is_look: bool = False) -> Any:
    """is_meant: whether an answer is what the route gives. Raises Failure as `ask.request` does, and for another one:
    it is no server of ours.
    """
    try:
        with ask.request(url, f"{_ROUTES}/{what}", body, timeout_s=_READ_S, is_look=is_look) as reply:
            document = reply.json()
            if not is_meant(document):
                wanted = "answer to a query" if what == "query" else f"list of {what}"
                raise reply.instead_of(wanted, json.dumps(document).encode())
            for warning in reply.warnings:
                console.warn_once(warning)
            return document
    except ask.Refusal as refused:
        if refused.status == 404 and refused.kind is not None:  # a server of ours without these routes
            stated = "telemetry: [{provider_id: builtin, provider_type: inline::builtin}]"
            hint = f"add to `providers:` of its run.yaml: `{stated}`, and start it anew"
            raise Failure(f"{url} keeps no traces: it has no provider of `telemetry`", hint=hint) from refused
        raise
