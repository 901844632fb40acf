"""Runs the scenarios of a client on demand: a line of JSON in, `{"scenario": NAME, ...}`, and a line of JSON out.

Used by the scripts beside it, in environments that have a client and nothing of ours. The first line out says who runs.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

Scenario = Callable[..., Any]

SAY = "Say something about the sea"
USE_TOOLS = "Use get_weather and get_time for Paris"
PERSON = "Invent a person, as JSON"
TEXTS = ["a cat sits here", "rates rose again"]
TOOLS = {
    "get_weather": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "get_time": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "zone": {"enum": ["utc", "local"]}},
        "required": ["city", "zone"],
    },
}
"""The parameters of the two tools."""
OPENAI_TOOLS = [
    {"type": "function", "function": {"name": name, "description": "Tells it.", "parameters": parameters}}
    for name, parameters in TOOLS.items()
]
# Bounded, so that a model which knows no end comes to one.
PERSON_SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "traits": {"type": "array", "items": {"enum": ["kind", "busy", "tall"]}, "minItems": 1, "maxItems": 2},
    },
    "required": ["name", "age", "traits"],
    "additionalProperties": False,
}


def use(name: str, arguments: Mapping[str, Any]) -> str:
    """What a tool answers."""
    return f"{name} of {arguments['city']}"


def failure(call: Callable[[], Any]) -> dict[str, Any]:
    """The exception that a call raises: its type, its HTTP status, all that it says."""
    try:
        return {"type": None, "said": repr(call())}
    except Exception as error:
        status = getattr(error, "status_code", None) or getattr(error, "status", None)
        return {"type": type(error).__name__, "status": status, "said": str(error)}


def serve(package: str, scenarios: Mapping[str, Scenario]) -> None:
    """Until the input ends. A scenario that fails answers with its traceback."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer

    def say(told: Any) -> None:
        print(json.dumps(told), file=out, flush=True)

    say({"client": f"{package} {version(package)}", "on": f"Python {sys.version.split()[0]}"})
    for line in sys.stdin:
        ask = json.loads(line)
        try:
            say({"told": scenarios[ask.pop("scenario")](**ask)})
        except Exception:
            say({"failed": traceback.format_exc()})
