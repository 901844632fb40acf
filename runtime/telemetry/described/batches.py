"""Batches: which one, what it asks and how far it is."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.telemetry import conventions as names
from runtime.telemetry.operation import Described, Fields

_STATUS = {"status": names.BATCH_STATUS}
_BATCH = Fields(asked={"batch_id": names.BATCH_ID}, answered=_STATUS)

DESCRIBED: Mapping[str, Described] = {
    "create_batch": Fields(
        asked={"input_file_id": names.FILE_ID, "endpoint": names.ENDPOINT},
        answered={"id": names.BATCH_ID} | _STATUS,
    ),
    "get_batch": _BATCH,
    "cancel_batch": _BATCH,
}
