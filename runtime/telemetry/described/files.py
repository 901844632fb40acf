"""Files that come and go: their ids and sizes, not their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.telemetry import conventions as names
from runtime.telemetry.operation import Described, Fields, bounded
from runtime.telemetry.spans import Span

_OF_FILE, _OF_UPLOAD = {"file_id": names.FILE_ID}, {"upload_id": names.UPLOAD_ID}


class Completed(Fields):
    """An upload that has become a file."""

    def __init__(self) -> None:
        super().__init__(asked=_OF_UPLOAD, answered={"bytes": names.SIZE_BYTES})

    def answer(self, span: Span, answer: Any) -> None:
        super().answer(span, answer)
        if answer.file is not None:
            span.attributes[names.FILE_ID] = bounded(answer.file.id)


DESCRIBED: Mapping[str, Described] = {
    "upload_file": Fields(answered={"id": names.FILE_ID, "bytes": names.SIZE_BYTES}),
    "get_file": Fields(asked=_OF_FILE, answered={"bytes": names.SIZE_BYTES}),
    "read_file": Fields(asked=_OF_FILE, answered={"size_bytes": names.SIZE_BYTES}),
    "delete_file": Fields(asked=_OF_FILE),
    "create_upload": Fields(asked={"bytes": names.SIZE_BYTES}, answered={"id": names.UPLOAD_ID}),
    "add_upload_part": Fields(asked=_OF_UPLOAD),
    "complete_upload": Completed(),
    "cancel_upload": Fields(asked=_OF_UPLOAD),
}
