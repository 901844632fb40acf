"""Evaluations: which run, and how many rows. Which benchmark is `llama_stack.resource.id`."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.telemetry import conventions as names
from runtime.telemetry.operation import Described, Fields

_OF_JOB, _STATUS = {"job_id": names.JOB_ID}, {"status": names.JOB_STATUS}
_JOB = Fields(asked=_OF_JOB)

DESCRIBED: Mapping[str, Described] = {
    "evaluate_rows": Fields(counted={"input_rows": names.ROWS, "scoring_functions": names.FUNCTIONS}),
    "run_eval": Fields(answered=_OF_JOB | _STATUS),
    "job_status": Fields(asked=_OF_JOB, answered=_STATUS),
    "job_cancel": _JOB,
    "job_result": _JOB,
    "job_rows": Fields(asked=_OF_JOB, found={"data": names.ROWS}),
    "compare_jobs": _JOB,
}
