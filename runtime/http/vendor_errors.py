"""Reads what another server says about its failure, in any of the shapes that vendors use.

The shapes: OpenAI's `{"error": {...}}`; the same in an array (Gemini); its fields at the top (Cerebras, Cohere, SGLang,
OCI); a text in place of the object (Ollama, TGI, LM Studio); `detail` as text, or as FastAPI's list of wrong fields
(Voyage, DeepInfra, Mistral); `errors` (watsonx, Cloudflare); `errorMessage` (IBM Cloud); `fault` (Apigee, at
Fireworks); `__type` (AWS); and an error inside a choice of an answer (OpenRouter).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from runtime.sse import BYTE_ORDER_MARK, encode

_decode = msgspec.json.Decoder().decode
_MESSAGES = (
    *("message", "Message", "msg", "detail", "error_description", "error", "faultstring", "errorMessage", "title"),
)
_CODES = ("code", "error_code", "errorcode", "errorCode")
_TYPES = ("type", "error_type", "__type")
_STATUSES = ("status", "status_code", "code")
_READ = {*_MESSAGES, *_CODES, *_TYPES, *_STATUSES, "param", "object", "errors"}
_LABELS = ("error", "object", "about:blank")
"""Values of `type` that say only that this is an error."""
_WORD = re.compile(r"[A-Za-z0-9_.:-]+")
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)s")
_MAX_WRONG_FIELDS = 5
_MAX_NESTING = 6
_MORE_BYTES = 8 * 1024
_SEARCHED_CHOICES = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorError:
    """A failure in the vendor's own words. None where it does not say.

    code: a word or number for programs; not a mere HTTP status, which is `status` (400 to 599). wait_s: how
    long to wait, in seconds, where the body says so (Google's RetryInfo) and not a header. more: the other members
    of its error object, such as `innererror` (Azure), `failed_generation` (Groq) and `metadata` (OpenRouter), without
    those that are very long or deeply nested.
    """

    message: str | None = None
    type: str | None = None
    code: str | None = None
    param: str | None = None
    status: int | None = None
    wait_s: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def vendor_error(body: bytes) -> VendorError:
    """The error in an answer's body; an empty one if the body is not JSON or contains none."""
    try:
        value = _decode(body.removeprefix(BYTE_ORDER_MARK))
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors, and so are UTF-8 errors
        return VendorError()
    return error_in(value)


def states_error(answer: Mapping[str, Any]) -> bool:
    """Whether an answer or an event with a status of success reports a failure."""
    if answer.get("error") or "error" in (answer.get("object"), answer.get("type")):
        return True
    return any(choice.get("error") or choice.get("finish_reason") == "error" for choice in _choices(answer))


def error_in(value: Any) -> VendorError:
    """The error in decoded JSON. Inner objects come before outer ones: `{"error": {...}, "status_code": 429}`."""
    if isinstance(value, str):
        return VendorError(message=value or None)
    objects = list(_objects(value))
    wrong = next((one for name in ("detail", "message", "error") for one in _lists(objects, name)), [])
    message = _first_text(objects, _MESSAGES)
    code = _first_code(objects)
    if message is not None and (label := _first_text(objects, ("error",))) not in (None, message) and code is None:
        code = label if _WORD.fullmatch(label or "") else None  # {"error": "overloaded", "message": "..."}
    return VendorError(
        message=message or _wrong_fields(wrong),
        type=_first_type(objects),
        code=code,
        param=_first_text(objects, ("param",)) or next(map(_place, wrong), None),
        status=next((status for one in objects for name in _STATUSES if (status := _status(one.get(name)))), None),
        wait_s=next((wait_s for one in objects if (wait_s := _wait_s(one.get("details"))) is not None), None),
        more=_more(value),
    )


def _objects(value: Any, *, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """The objects that may describe the error, the innermost first."""
    if isinstance(value, list):
        value = next((one for one in value if isinstance(one, dict)), None)
    if not isinstance(value, dict) or depth > _MAX_NESTING:
        return
    for name in ("error", "errors", "fault", "detail", "message"):
        inner = value.get(name)
        if isinstance(inner, dict) or (name == "errors" and isinstance(inner, list)):
            yield from _objects(inner, depth=depth + 1)
    for choice in _choices(value):
        if isinstance(choice.get("error"), dict | str):
            yield from _objects({"error": choice["error"]}, depth=depth + 1)
    yield value


def _choices(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    choices = answer.get("choices")
    for choice in choices[:_SEARCHED_CHOICES] if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            yield choice


def _first_text(objects: Iterable[Mapping[str, Any]], names: Iterable[str]) -> str | None:
    return next(
        (text for one in objects for name in names if isinstance(text := one.get(name), str) and text.strip()), None
    )


def _first_type(objects: Iterable[Mapping[str, Any]]) -> str | None:
    found = (one.get(name) for one in objects for name in _TYPES)
    kind = next((text for text in found if isinstance(text, str) and text and text not in _LABELS), None)
    return kind.rpartition("#")[2] if kind else None  # AWS: `com.amazonaws.service#ValidationException`


def _first_code(objects: Iterable[Mapping[str, Any]]) -> str | None:
    """A code that is no HTTP status, in the innermost object that has one; else Google's `status`, which is a word."""
    for one in objects:
        for name in (*_CODES, "status"):
            value = one.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if (
                isinstance(value, str)
                and value
                and not _is_http_status(value)
                and (name != "status" or value.isupper())
            ):
                return value
    return None


def _is_http_status(text: str) -> bool:
    return text.isascii() and text.isdecimal() and (text == "0" or (len(text) == 3 and 100 <= int(text) < 600))


def _status(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600 else None


def _wait_s(details: Any) -> float | None:
    """Google's `{"retryDelay": "45.8s"}`, a protobuf Duration as JSON."""
    for one in details if isinstance(details, list) else ():
        given = one.get("retryDelay") if isinstance(one, dict) else None
        if isinstance(given, str) and (found := _DURATION.fullmatch(given)):
            return float(found[1])
    return None


def _lists(objects: Iterable[Mapping[str, Any]], name: str) -> Iterator[list[Any]]:
    """FastAPI's lists of wrong fields, `[{"loc": ["body", "n"], "msg": "..."}]`."""
    for one in objects:
        found = one.get(name)
        if isinstance(found, list) and found and all(isinstance(each, dict) and "msg" in each for each in found):
            yield found


def _wrong_fields(wrong: list[Any]) -> str | None:
    shown = [": ".join(text for text in (_place(one), str(one["msg"])) if text) for one in wrong[:_MAX_WRONG_FIELDS]]
    left = len(wrong) - len(shown)
    return "; ".join([*shown, *([f"and {left} more"] if left else [])]) or None


def _place(wrong: Mapping[str, Any]) -> str | None:
    """`messages.0.role` for a `loc` of ["body", "messages", 0, "role"]."""
    loc = wrong.get("loc")
    parts = [str(part) for part in loc] if isinstance(loc, list) else []
    return ".".join(parts[1:] if parts[:1] == ["body"] else parts) or None


def _more(value: Any) -> dict[str, Any]:
    """The members of the object under `error` that have no name of OpenAI's."""
    outer = next(_dicts(value), {})
    inner = outer.get("error")
    found: dict[str, Any] = {}
    left = _MORE_BYTES
    for name, member in inner.items() if isinstance(inner, dict) else ():
        if name in _READ or member is None or not _is_flat(member):
            continue
        size = len(encode(member))
        if size <= left:
            found[name] = member
            left -= size
    return found


def _is_flat(value: Any, *, levels: int = 16) -> bool:
    """Whether it is nested so little that code which calls itself for each level can handle it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_flat(member, levels=levels - 1) for member in inner)


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    yield from (one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict))
