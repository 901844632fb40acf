"""Files that are read: how large each is, how many pages it has, and in how many chunks it was cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.sse import Reply
from runtime.telemetry import conventions as names
from runtime.telemetry.operation import Described, Fields
from runtime.telemetry.spans import Span


class _Metadata(msgspec.Struct):
    page_count: int | None = None
    file_size_bytes: int | None = None


class _Read(msgspec.Struct):
    """What is looked for in an answer."""

    chunks: list[msgspec.Raw] = []
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


_read = msgspec.json.Decoder(_Read).decode


class Processed(Fields):
    """A file that is read while its caller waits."""

    def __init__(self) -> None:
        super().__init__(asked={"file_id": names.FILE_ID}, found={"chunks": names.CHUNKS})

    def answer(self, span: Span, answer: Any) -> None:
        if isinstance(answer, Reply):
            try:
                answer = _read(answer.data)
            except (msgspec.DecodeError, RecursionError):
                return
            metadata = {"page_count": answer.metadata.page_count, "file_size_bytes": answer.metadata.file_size_bytes}
        else:
            metadata = answer.metadata
        super().answer(span, answer)
        for field, name in (("page_count", names.PAGES), ("file_size_bytes", names.SIZE_BYTES)):
            if isinstance(value := metadata.get(field), int):
                span.attributes[name] = value


_JOB = Fields(asked={"job_id": names.JOB_ID}, answered={"status": names.JOB_STATUS})

DESCRIBED: Mapping[str, Described] = {
    "process_file": Processed(),
    "create_job": Fields(
        asked={"file_id": names.FILE_ID}, answered={"job_id": names.JOB_ID, "status": names.JOB_STATUS}
    ),
    "get_job": _JOB,
    "cancel_job": _JOB,
}
