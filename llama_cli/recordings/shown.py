"""A recording for people: what was asked, message by message, and what was answered, a stream put together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llama_cli.recordings.rows import kind_of
from llama_cli.terminal import console, words
from runtime.recording import documents
from runtime.recording.bodies import Held
from runtime.recording.documents import Recording
from runtime.recording.rules import asked
from runtime.recording.said import Choice, Said, said, text_of, value_of
from runtime.sse import Json, encode

_MESSAGES = ("messages", "input", "contents", "prompt", "system", "instructions", "systemInstruction")
"""Members of a request that say something, in the protocols that there are; all others are settings."""
_LONG = 400
"""Characters of a setting that are shown, such as the tools of a request."""


def document(recording: Recording, file: str) -> Json:
    """All of it as JSON: its texts whole, its bytes by the name of their file."""
    assert recording.path is not None, "it was read from there"
    return {
        "file": file,
        "key": asked(recording.request).key,
        "test": recording.scope or None,
        "provider": recording.provider,
        "operation": recording.operation,
        "request": _plain(recording.request, recording.path),
        "answer": _plain(recording.answer, recording.path),
    }


def lines_of_request(recording: Recording) -> Iterator[str]:
    """What was asked: its settings, one a line, then what it says."""
    request = recording.request
    if "server" in request:
        query = f"?{'&'.join(f'{name}={value}' for name, value in request['query'])}" if request.get("query") else ""
        what = request.get("call", request.get("method", ""))
        yield f"{what} {request['server']}{request.get('path', '')}{query}"
    else:
        yield recording.operation
    body = request.get("json")
    if isinstance(body, dict):
        for name, value in body.items():
            if name not in _MESSAGES:
                yield f"{name}: {_setting(value)}"
        for name in _MESSAGES:
            yield from _messages(name, body[name]) if name in body else ()
    else:
        yield from _body(request)


def lines_of_answer(recording: Recording) -> Iterator[str]:
    """What was answered: how, what it says and calls, and what it cost."""
    answer = recording.answer
    status = f", status {answer['status']}" if "status" in answer else ""
    count = f" of {words.counted(len(answer['events']), 'event')}" if "events" in answer else ""
    yield f"{kind_of(recording)}{count}{status}"
    found = said(answer)
    if kind_of(recording) != "refusal" and (found.choices or found.vectors):
        yield from _said(found)
        yield from (f"ended by {why}" for why in found.exceptions)
    elif "error" in answer:
        yield _setting(answer["error"].get("message", answer["error"]))
    else:
        yield from _body(answer)


def _said(found: Said) -> Iterator[str]:
    for place, choice in enumerate(found.choices):
        yield from _choice(choice, f"choice {place + 1}" if len(found.choices) > 1 else "")
    if found.vectors:
        yield f"{words.counted(len(found.vectors), 'vector')} of {len(found.vectors[0])} numbers"
    if found.usage:
        yield "usage: " + ", ".join(f"{name} {number:,}" for name, number in found.usage.items())


def _choice(choice: Choice, name: str) -> Iterator[str]:
    if name:
        yield name
    if choice.reasoning:
        yield from _indented("reasoning", choice.reasoning)
    if choice.text:
        yield from _indented("assistant", choice.text)
    if choice.refusal:
        yield from _indented("refusal", choice.refusal)
    for call in choice.calls.values():
        yield f"calls {call.name} {_setting(call.value)}"
    if choice.finish:
        yield f"finish: {choice.finish}"


def _messages(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        yield from _indented(name, value if isinstance(value, str) else _setting(value))
        return
    for message in value:
        role = str(message.get("role") or message.get("type") or name)
        content = message.get("content", message.get("parts", message.get("output", message.get("text"))))
        text = text_of(content)
        if text:
            yield from _indented(role, text)
        calls = message.get("tool_calls") or ([message] if message.get("type") == "function_call" else [])
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function", call) if isinstance(call, dict) else {}
            if isinstance(function, dict):
                yield f"{role} calls {function.get('name', '')} {function.get('arguments', '')}"


def _indented(name: str, text: str) -> Iterator[str]:
    """`user: hello`, or a text of several lines below its name."""
    lines = text.split("\n")
    if len(lines) == 1:
        yield f"{name}: {text}"
        return
    yield f"{name}:"
    for line in lines:
        yield f"    {line}"


def _body(message: Json) -> Iterator[str]:
    """A body that is no conversation."""
    if "text" in message:
        yield from str(message["text"]).split("\n")
    elif "events" in message:
        for event in message["events"]:
            yield _setting(event.get("data", event.get("line", event)))
    elif "parts" in message:
        for part in message["parts"]:
            content = "bytes" in part and f"{words.size(len(part['bytes'].data))} of {part.get('type', 'bytes')}"
            yield f"{part.get('name', '')}: {content or part.get('text', part.get('json', ''))}"
    elif "bytes" in message:
        yield words.size(len(message["bytes"].data))
    elif (value := value_of(message)) is not None:
        yield _setting(value, whole=True)


def _setting(value: Any, *, whole: bool = False) -> str:
    text = value if isinstance(value, str) else encode(value).decode()
    return text if whole or len(text) <= _LONG else f"{text[:_LONG]}… ({len(text):,} characters)"


def _plain(value: Any, path: Path) -> Any:
    if isinstance(value, Held):
        return {"file": documents.file_beside(path, value).name, "size_bytes": len(value.data)}
    if isinstance(value, dict):
        return {name: _plain(inner, path) for name, inner in value.items()}
    return [_plain(inner, path) for inner in value] if isinstance(value, list) else value


def show(title: str, lines: Iterator[str]) -> None:
    """A heading, and lines below it."""
    console.title(title)
    for line in lines:
        console.out(f"  {line}")
