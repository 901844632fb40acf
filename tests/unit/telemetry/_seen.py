"""What has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from runtime.stack.stack import Stack
from runtime.telemetry.sampling import Sampler
from runtime.telemetry.spans import Span, begin_trace


@dataclass
class Seen:
    """Implements `SpanProcessor`."""

    spans: list[Span] = field(default_factory=list)
    sampler: Sampler | None = None

    def on_end(self, span: Span) -> None:
        span.tell()
        self.spans.append(span)

    def begin(self) -> Span:
        """A request."""
        return begin_trace(self, "POST /", {}, request_id="req_1")

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


class Exported:
    """Implements `Exporter`: what has ended in a stack since `of` was called."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._spans: list[Span] = []

    @classmethod
    async def of(cls, stack: Stack) -> Exported:
        """stack: one with telemetry."""
        assert stack.processor is not None
        await stack.processor.flush()
        exported = cls(stack)
        stack.processor.add(exported)
        return exported

    async def export(self, spans: Sequence[Span], offset_s: float) -> None:
        self._spans += spans

    async def close(self) -> None:
        """There is nothing to be sent."""

    async def spans(self) -> list[Span]:
        """In the order in which they have ended."""
        assert self._stack.processor is not None
        await self._stack.processor.flush()
        return self._spans
