"""What a judge may answer: a number of a range, or one of some words; in JSON that a schema holds it to.

https://platform.openai.com/docs/guides/structured-outputs
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from runtime.providers.scoring._not_scored import NotScored
from runtime.sse import Json

Score = float | int | str
_REASONING = "reasoning"
_fenced = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL).fullmatch
_MOST_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class Scale:
    """choices: the words that it may answer; empty where it answers a number. between: the least and the greatest
    number; None for any.
    """

    choices: tuple[str, ...] = ()
    between: tuple[float, float] | None = None

    @property
    def response_format(self) -> Json:
        """The reasons come first, so that the verdict follows from them."""
        properties = {_REASONING: {"type": "string"}, self._field: self._schema()}
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}

    @property
    def words(self) -> str:
        """What a judge is told about its answer."""
        if self.choices:
            answer = f"one of {', '.join(f'`{choice}`' for choice in self.choices)}"
        else:
            answer = "a number" + (f" from {self.between[0]:g} to {self.between[1]:g}" if self.between else "")
        return (
            f"Answer with a JSON object: in `{_REASONING}` your reasons in a few sentences, and then in `{self._field}`"
            f" your verdict, {answer}."
        )

    def read(self, text: str) -> tuple[Score, str]:
        """The score and the reasons for it in an answer in JSON. Raises NotScored for any other answer."""
        fenced = _fenced(text.strip())
        try:
            answer = json.loads(fenced[1] if fenced else text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or self._field not in answer:
            raise NotScored(f"The judge's answer is no JSON object with `{self._field}`", said=text)
        reasons = answer.get(_REASONING)
        return self._checked(answer[self._field], text), reasons if isinstance(reasons, str) else text

    def read_group(self, group: str, text: str) -> Score:
        """The score that an expression has found in an answer. Raises NotScored for one that is not of this scale."""
        if self.choices:
            found = {choice.casefold(): choice for choice in self.choices}.get(group.strip().casefold(), group)
            return self._checked(found, text)
        number = _number(group)
        if number is None and self.between is None:
            return group
        return self._checked(group if number is None else number, text)

    @property
    def _field(self) -> str:
        return "verdict" if self.choices else "score"

    def _schema(self) -> Json:
        if self.choices:
            return {"type": "string", "enum": list(self.choices)}
        limits = dict(zip(("minimum", "maximum"), self.between, strict=True)) if self.between else {}
        return {"type": "number", **limits}

    def _checked(self, verdict: Any, text: str) -> Score:
        if self.choices:
            if verdict in self.choices:
                return str(verdict)
            raise NotScored(f"The judge's verdict {_shown(verdict)} is none of {', '.join(self.choices)}", said=text)
        if isinstance(verdict, bool) or not isinstance(verdict, int | float) or not _is_finite(verdict):
            raise NotScored(f"The judge's score {_shown(verdict)} is no number", said=text)
        if self.between and not self.between[0] <= verdict <= self.between[1]:
            low, high = self.between
            raise NotScored(f"The judge's score {_shown(verdict)} is not from {low:g} to {high:g}", said=text)
        return verdict


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # an integer that no float can be
        return False


def _number(text: str) -> float | int | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _shown(value: Any) -> str:
    return f"`{str(value)[:_MOST_SHOWN]}`"
