"""Rows as callers see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from runtime.redaction import redact
from runtime.sse import Json
from runtime.storage.sql import Row

OF_A_SESSION = ("id", "agent_id", "position", "name")
"""The columns that `session` needs."""


def moment(seconds: float) -> str:
    """Seconds since 1970 as a date and time of ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def begun(row: Row) -> str:
    """When what a row is of was begun."""
    return moment(row["position"] / 1_000_000)


def agent(row: Row) -> Json:
    """Without what may be a secret in the arguments of its tools."""
    config = row["config"]
    if groups := config.get("toolgroups"):
        config = {**config, "toolgroups": [_group(one) for one in groups]}
    return {"agent_id": row["id"], "agent_config": config, "created_at": begun(row)}


def _group(given: Any) -> Any:
    return {**given, "args": redact(given["args"])} if isinstance(given, dict) and given.get("args") else given


def session(row: Row) -> Json:
    """Without its turns. row: with `OF_A_SESSION`."""
    return {
        "session_id": row["id"],
        "session_name": row["name"],
        "agent_id": row["agent_id"],
        "started_at": begun(row),
    }


def turn(row: Row, steps: list[Json]) -> Json:
    """steps: all of them. The last time that the model was asked says what came of it, or the shield that has ended
    it.
    """
    said = [step["model_response"] for step in steps if step["step_type"] == "inference"]
    if steps and (violation := steps[-1].get("violation")):
        said = [{"role": "assistant", "content": violation["user_message"], "stop_reason": "end_of_turn"}]
    return {
        "turn_id": row["id"],
        "session_id": row["session_id"],
        "input_messages": row["asked"]["messages"],
        "steps": steps,
        "output_message": said[-1] if said else {"role": "assistant", "content": "", "stop_reason": "end_of_turn"},
        "output_attachments": [],
        "started_at": begun(row),
        "completed_at": moment(row["completed"]) if row["completed"] is not None else None,
    }
