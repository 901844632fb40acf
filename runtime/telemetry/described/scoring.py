"""Rows that are scored: how many. By which function is `llama_stack.resource.id`."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.telemetry import conventions as names
from runtime.telemetry.operation import Described, Fields

_ROWS = Fields(counted={"rows": names.ROWS})

DESCRIBED: Mapping[str, Described] = {"score_rows": _ROWS, "aggregate": _ROWS}
