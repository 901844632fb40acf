"""What has ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.telemetry.spans import Span, begin_trace


@dataclass
class Seen:
    """Implements `SpanProcessor`."""

    spans: list[Span] = field(default_factory=list)

    def on_end(self, span: Span) -> None:
        self.spans.append(span)

    def begin(self) -> Span:
        """A request."""
        return begin_trace(self, "POST /", {}, request_id="req_1")

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]
