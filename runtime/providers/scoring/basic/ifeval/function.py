"""`ifeval`: how many of its instructions an answer follows.

A row has `instruction_id_list`, the instructions, and `kwargs`, what each is told, as IFEval's data has them; both may
be text of JSON. The score is the share that is followed, and `weight` how many there are, as llama-stack's
`basic::ifeval` has it: `weighted_average` is the accuracy of instructions, `accuracy` that of prompts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import GENERATED, ListedFunction
from runtime.apis.scoring.params import BasicParams
from runtime.invalid.vocabulary import quoted
from runtime.providers.scoring._not_scored import NotScored
from runtime.providers.scoring.basic.ifeval.contents import CONTENTS
from runtime.providers.scoring.basic.ifeval.forms import FORMS
from runtime.providers.scoring.basic.ifeval.instruction import Instruction
from runtime.providers.scoring.basic.row_function import Options, RowFunction, ScoreRow, Told, text_in
from runtime.similar import names_for

INSTRUCTIONS: Mapping[str, Instruction] = {**CONTENTS, **FORMS}
_IDS, _ARGUMENTS = "instruction_id_list", "kwargs"
_MOST_INSTRUCTIONS = 50


class IFEvalOptions(Options):
    """How strict the score is."""

    loose: bool = Field(
        False,
        description="Whether an instruction counts as followed where the answer without its first or last line, or"
        " without asterisks, follows it. The default is false.",
    )


def _prepare(told: Told) -> ScoreRow:
    def score(row: Row) -> Row:
        answer = text_in(row, GENERATED)
        instructions = _instructions(row)
        strict = [_follows(answer, one, arguments) for one, arguments in instructions]
        loose = [
            is_followed or any(_follows(variant, one, arguments) for variant in variants_of(answer))
            for is_followed, (one, arguments) in zip(strict, instructions, strict=True)
        ]
        counted = loose if told.options.loose else strict
        return {"score": sum(counted) / len(counted), "weight": len(counted), "followed": strict, "loosely": loose}

    return score


def variants_of(answer: str) -> list[str]:
    """The answer without its first line, its last one, both, and each without asterisks: section 2.2 of the paper."""
    lines = answer.split("\n")
    cut = [answer, *("\n".join(some).strip() for some in (lines[1:], lines[:-1], lines[1:-1]))]
    return [*cut[1:], *(one.replace("*", "") for one in cut)]


def _follows(answer: str, instruction: Instruction, arguments: Mapping[str, Any]) -> bool:
    return bool(answer.strip()) and instruction.follows(answer, **arguments)


def _instructions(row: Row) -> list[tuple[Instruction, dict[str, Any]]]:
    """Those of a row, each with what it is told. Raises NotScored."""
    ids, given = _listed(row, _IDS), _listed(row, _ARGUMENTS)
    if not ids or len(ids) > _MOST_INSTRUCTIONS:
        raise NotScored(f"`{_IDS}` has {len(ids)} instructions, and should have 1 to {_MOST_INSTRUCTIONS}")
    if len(given) != len(ids):
        raise NotScored(f"`{_ARGUMENTS}` is for {len(given)} instructions, and `{_IDS}` has {len(ids)}")
    return [_instruction(one, arguments, at) for at, (one, arguments) in enumerate(zip(ids, given, strict=True))]


def _instruction(name: Any, given: Any, at: int) -> tuple[Instruction, dict[str, Any]]:
    if not isinstance(name, str) or name not in INSTRUCTIONS:
        others = names_for(name, INSTRUCTIONS) if isinstance(name, str) else "it should be text"
        raise NotScored(f"`{_IDS}[{at}]` is no instruction: `{quoted(str(name))}` ({others})")
    if not isinstance(given, Mapping | None):
        raise NotScored(f"`{_ARGUMENTS}[{at}]` is no object")
    return INSTRUCTIONS[name], INSTRUCTIONS[name].told(given or {}, f"{_ARGUMENTS}[{at}]")


def _listed(row: Row, column: str) -> list[Any]:
    value = row[column]
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise NotScored(f"`{column}` is text that is not JSON") from None
    if not isinstance(value, list):
        raise NotScored(f"`{column}` is no list")
    return value


IFEVAL = RowFunction(
    listed=ListedFunction(
        name="ifeval",
        description="The share of its instructions that an answer follows, such as `at least 300 words` and `no comma`",
        params=BasicParams(aggregation_functions=["weighted_average", "accuracy"]),
        columns=(GENERATED, _IDS, _ARGUMENTS),
    ),
    prepare=_prepare,
    options=IFEvalOptions,
)
