"""A streamed answer on its way through shields: a window of it is held back until they have passed it.

The last one is looked at as soon as the answer has its end: whoever leaves meanwhile ends that, which nobody can who
waits for the end of a stream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.clock import stamp
from runtime.ids import new_id
from runtime.routing.guarded.forms import Form
from runtime.routing.guarded.texts import Texts, choices_of, joined, texts_of
from runtime.routing.guarded.violations import Violation
from runtime.sse import End, EventStream, Frames, Json

Judge = Callable[[list[str]], Awaitable[Violation | None]]
"""Looks at the texts of answers."""
_MOST_HELD_BYTES = 256 * 1024
"""How much is held back at most, whatever is in it: what is no text, such as audio, counts too."""


@dataclass
class _Choice:
    """One of the answers. passed: of each text in it the end of what has passed; new: what has come since. has_ended:
    as the reader has seen it.
    """

    passed: Texts
    new: Texts = field(default_factory=dict)
    new_chars: int = 0
    ends: bool = False
    has_ended: bool = False

    def said(self) -> str:
        """What is new, with what came before it."""
        return joined({place: self.passed.get(place, "") + text for place, text in self.new.items()})

    def release(self, window: int) -> None:
        """What is new has passed."""
        for place, text in self.new.items():
            self.passed[place] = (self.passed.get(place, "") + text)[-window:]
        self.new.clear()
        self.new_chars = 0
        self.has_ended |= self.ends


class GuardedStream:
    """The stage of a stream. A window is judged with as much of what came before it, so that nothing hides where two of
    them meet. window: in characters. choices: how many answers there are. begun: what the reader has of each already.
    counts: whether token counts are to follow the answers, refused or not. notes: what is said with the answer; what is
    added once the answer has begun, when its headers are sent, is a comment in the stream.
    """

    def __init__(
        self, form: Form, judge: Judge, *, model: str, window: int, choices: int, begun: Texts, counts: bool,
        notes: Sequence[str],
    ) -> None:  # fmt: skip
        self._notes = notes
        self._has_begun = False
        self._counts = counts
        self._form = form
        self._judge = judge
        self._model = model
        self._window = window
        self._begun = {place: text[-window:] for place, text in begun.items()}
        self._passed: list[bytes] = []
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._choices = {index: _Choice(dict(self._begun)) for index in range(choices)}
        self._head: Json = {}
        self._usage: Json | None = None  # as far as it has not passed
        self._found: Violation | None = None

    async def read(self, frames: Frames) -> Frames | None:
        for block in frames.data.split(b"\n\n"):  # one read may have many windows
            if block and self._is_full_with(Frames(block + b"\n\n")):
                if self._found is None:
                    await self._look()
                if self._found is None:
                    self._release()
                elif not (self._counts and self._usage is None and self._is_whole()):
                    raise StopAsyncIteration
        passed = self._take_passed()
        return Frames(passed) if passed else None

    def _is_full_with(self, event: Frames) -> bool:
        """Whether what is held back is to be looked at, now that this has come. What cannot be harmful passes."""
        says_something = False
        for chunk in event.events():
            says_something |= self._note(chunk)
        if not says_something and not self._held and not any(choice.ends for choice in self._choices.values()):
            self._passed.append(event.data)
            self._usage = None
            return False
        self._held.append(event.data)
        self._held_bytes += len(event.data)
        is_full = any(choice.new_chars >= self._window for choice in self._choices.values())
        return is_full or self._is_whole() or self._held_bytes >= _MOST_HELD_BYTES

    def _is_whole(self) -> bool:
        """Whether every answer has its end, and something that has not passed: only token counts are still to come."""
        choices = self._choices.values()
        return all(choice.ends for choice in choices) and any(choice.new for choice in choices)

    async def ended(self, how: End, error: BaseException | None) -> Frames | None:
        if how != "complete":
            return None
        if self._found is None:
            await self._look()
        if self._found is None:
            self._release()
            passed = self._take_passed()
            return Frames(passed) if passed else None
        left = [index for index, choice in self._choices.items() if not choice.has_ended] or [0]
        chunks = refusal_chunks(self._form, self._found, left, head=self._head, model=self._model, usage=self._usage)
        refusal = Frames.of(*chunks)
        return Frames(self._take_passed() + refusal.data)

    def _note(self, event: Any) -> bool:
        """Remember what a chunk adds. Returns whether that is anything but the beginning of an answer."""
        if isinstance(event, dict):
            self._head = self._head or {name: event[name] for name in ("id", "created", "model") if event.get(name)}
            self._usage = event.get("usage") or self._usage
        says_something = False
        for part in choices_of(event):
            index = part.get("index")
            choice = self._choice(index if isinstance(index, int) else 0)
            for place, text in texts_of(part).items():
                choice.new[place] = choice.new.get(place, "") + text
                choice.new_chars += len(text)
            delta = part.get("delta")
            has_more = isinstance(delta, dict) and any(value for name, value in delta.items() if name != "role")
            says_something |= has_more or bool(choice.new)
            choice.ends |= bool(part.get("finish_reason"))
        return says_something

    def _choice(self, index: int) -> _Choice:
        if (choice := self._choices.get(index)) is None:
            choice = self._choices[index] = _Choice(dict(self._begun))
        return choice

    async def _look(self) -> None:
        texts = [choice.said() for choice in self._choices.values() if choice.new]
        if not texts:
            return
        noted = len(self._notes)
        self._found = await self._judge(texts)
        if self._has_begun:
            self._passed += [b": %b\n\n" % " ".join(words.split()).encode() for words in self._notes[noted:]]

    def _release(self) -> None:
        """What is held back has passed."""
        for choice in self._choices.values():
            choice.release(self._window)
        self._passed += self._held
        self._held.clear()
        self._usage = None
        self._held_bytes = 0

    def _take_passed(self) -> bytes:
        passed = b"".join(self._passed)
        self._passed.clear()
        self._has_begun |= bool(passed)
        return passed


def refusal_chunks(
    form: Form, found: Violation, indexes: Iterable[int], *, head: Json, model: str, usage: Json | None
) -> list[Json]:
    """The chunks that end answers with a refusal. head: what the chunks before them say of the whole answer. usage: of
    a chunk of its own behind them, None for no such chunk.
    """
    head = {"id": new_id(form.prefix), "created": int(stamp()), "model": model, **head, "object": form.part}
    chunks = [
        {**head, "choices": [part], "violation": found.shown()}
        for index in indexes
        for part in form.refusing(index, found.message)
    ]
    return chunks if usage is None else [*chunks, {**head, "choices": [], "usage": usage}]


def refusal_stream(form: Form, found: Violation, *, model: str, choices: int, usage: Json | None) -> EventStream:
    """A stream that only refuses."""

    async def frames() -> AsyncGenerator[Frames, None]:
        yield Frames.of(*refusal_chunks(form, found, range(choices), head={}, model=model, usage=usage))

    async def close() -> None:
        return None

    return EventStream(frames(), close)
