"""What a scoring function is here: it scores one row after another, each for itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from runtime.apis.datasets.protocol import Row
from runtime.apis.scoring.functions import ListedFunction
from runtime.providers.scoring._not_scored import NotScored

if TYPE_CHECKING:
    from runtime.providers.scoring._regexes import Regexes

ScoreRow = Callable[[Row], Row]
"""What is said of a row: its `score` and more. Raises NotScored."""


class Options(BaseModel):
    """`params.options` of a function."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a function is told. options: as its model has them. regexes: `params.parsing_regexes`."""

    options: Any
    regexes: Regexes


@dataclass(frozen=True, kw_only=True)
class RowFunction:
    """listed: as the provider lists it, with the params that it takes. prepare: once for many rows. options: the model
    of its `params.options`.
    """

    listed: ListedFunction
    prepare: Callable[[Told], ScoreRow]
    options: type[Options] = Options


def text_in(row: Row, column: str) -> str:
    """A column's text; of a number or a boolean, what JSON has for it. Raises NotScored for anything else."""
    value = row[column]
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise NotScored(f"`{column}` is {kind_of(value)}, and should be text")


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    return {type(None): "null", list: "a list", dict: "an object", str: "text"}.get(type(value), "a number")
