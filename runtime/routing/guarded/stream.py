"""A streamed answer on its way through shields: a window of it is held back until they have passed it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass

from runtime.clock import wall_time
from runtime.ids import new_id
from runtime.routing.guarded.forms import Form
from runtime.routing.guarded.violations import Violation
from runtime.sse import End, EventStream, Frames, Json

Judge = Callable[[list[str]], Awaitable[Violation | None]]
"""Looks at the texts of answers."""
_MOST_HELD_BYTES = 256 * 1024
"""How much is held back at most, whatever is in it: what is no text, such as arguments of calls, counts too."""


@dataclass
class _Choice:
    """One of the answers. passed: the end of what has passed; new: what has come since. has_ended: as the reader has
    seen it.
    """

    passed: str = ""
    new: str = ""
    ends: bool = False
    has_ended: bool = False


class GuardedStream:
    """The stage of a stream. A window is judged with as much of what came before it, so that nothing hides where two of
    them meet. window: in characters.
    """

    def __init__(self, form: Form, judge: Judge, *, model: str, window: int) -> None:
        self._form = form
        self._judge = judge
        self._model = model
        self._window = window
        self._passed: list[bytes] = []
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._choices: dict[int, _Choice] = {}
        self._head: Json = {}
        self._found: Violation | None = None

    async def read(self, frames: Frames) -> Frames | None:
        for block in frames.data.split(b"\n\n"):  # one read may have many windows
            if block and self._is_full_with(Frames(block + b"\n\n")):
                await self._look()
                if self._found is not None:
                    raise StopAsyncIteration
                self._release()
        passed = self._take_passed()
        return Frames(passed) if passed else None

    def _is_full_with(self, event: Frames) -> bool:
        """Whether what is held back is to be looked at, now that this has come. What cannot be harmful passes."""
        has_text = False
        for chunk in event.events():
            has_text |= self._note(chunk)
        if not has_text and not self._held and not any(choice.ends for choice in self._choices.values()):
            self._passed.append(event.data)
            return False
        self._held.append(event.data)
        self._held_bytes += len(event.data)
        is_full = any(len(choice.new) >= self._window for choice in self._choices.values())
        return is_full or self._held_bytes >= _MOST_HELD_BYTES

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
        refusal = Frames.of(*refusal_chunks(self._form, self._found, left, head=self._head, model=self._model))
        return Frames(self._take_passed() + refusal.data)

    def _note(self, event: Json) -> bool:
        """Remember what a chunk adds. Returns whether that is text."""
        if not self._head:
            self._head = {name: event[name] for name in ("id", "created", "model") if event.get(name)}
        has_text = False
        for part in event.get("choices") or ():
            choice = self._choices.setdefault(part.get("index") or 0, _Choice())
            if text := self._form.text(part):
                choice.new += text
                has_text = True
            choice.ends |= bool(part.get("finish_reason"))
        return has_text

    async def _look(self) -> None:
        texts = [choice.passed + choice.new for choice in self._choices.values() if choice.new]
        if texts:
            self._found = await self._judge(texts)

    def _release(self) -> None:
        """What is held back has passed."""
        for choice in self._choices.values():
            choice.passed = (choice.passed + choice.new)[-self._window :]
            choice.new = ""
            choice.has_ended |= choice.ends
        self._passed += self._held
        self._held.clear()
        self._held_bytes = 0

    def _take_passed(self) -> bytes:
        passed = b"".join(self._passed)
        self._passed.clear()
        return passed


def refusal_chunks(form: Form, found: Violation, indexes: Iterable[int], *, head: Json, model: str) -> list[Json]:
    """The chunks that end answers with a refusal. head: what the chunks before them say of the whole answer."""
    head = {"id": new_id(form.prefix), "created": int(wall_time()), "model": model, **head}
    chunks = [
        {**head, "object": form.part, "choices": [part]}
        for index in indexes
        for part in form.refusing(index, found.message)
    ]
    chunks[-1]["violation"] = found.shown()
    return chunks


def refusal_stream(form: Form, found: Violation, *, model: str, choices: int) -> EventStream:
    """A stream that only refuses."""

    async def frames() -> AsyncGenerator[Frames, None]:
        yield Frames.of(*refusal_chunks(form, found, range(choices), head={}, model=model))

    async def close() -> None:
        return None

    return EventStream(frames(), close)
