"""Rows that made-up ones are to be like, and the schema that they have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runtime.apis._json_schema import fitting
from runtime.apis.datasetio.protocol import DatasetIO, IterRowsRequest
from runtime.apis.datasets.protocol import Row
from runtime.apis.synthetic_data_generation.request import MOST_SEED_ROWS, GenerateRequest
from runtime.errors import RequestError, Unavailable
from runtime.providers._earlier.renaming import renamed
from runtime.sse import Json

_TYPES: dict[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}


class RowSchema:
    """What a row looks like. wrong: what is wrong with a row, None where it fits.

    Raises RequestError for a schema of anything but objects, or that cannot be followed.
    """

    def __init__(self, schema: Json) -> None:
        kinds = schema.get("type", "object")
        if "object" not in ([kinds] if isinstance(kinds, str) else kinds):
            raise RequestError(
                f"`row_schema` is a schema of `{kinds}`, and a row is an object",
                hint='give `{"type": "object", "properties": {...}}`',
                param="row_schema",
                code="invalid_value",
            )
        self.schema = {**schema, "type": "object"}  # said in any case, so that a model writes nothing else
        self.wrong: Callable[[Row], str | None] = fitting(self.schema, param="row_schema")


async def seeds_of(request: GenerateRequest, datasets: DatasetIO | None) -> list[Row]:
    """The seed rows of a request, then those of its dataset.

    Raises NotFound for the dataset, Unavailable where there are no datasets, RequestError for one without rows.
    """
    seeds = list(request.seed_rows)
    if request.seed_dataset_id is None:
        return seeds
    if datasets is None:
        raise Unavailable("No provider of the API datasetio is there", hint="add one, or give `seed_rows`")
    read = 0
    while True:
        asked = IterRowsRequest(dataset_id=request.seed_dataset_id, start_index=read, limit=MOST_SEED_ROWS - read)
        page = (await renamed(datasets.iterrows(asked), {"dataset_id": "seed_dataset_id"})).value()
        seeds += page["data"]
        read += len(page["data"])
        if not page["has_more"] or not page["data"] or read >= MOST_SEED_ROWS:
            break
    if not read:
        raise RequestError(
            f"The dataset `{request.seed_dataset_id}` has no rows", param="seed_dataset_id", code="invalid_value"
        )
    return seeds


def schema_for(request: GenerateRequest, seeds: Sequence[Row]) -> RowSchema | None:
    """The given schema, or that of the seeds; None where there is neither. Raises RequestError for a seed that does not
    fit.
    """
    if request.row_schema is None:
        return RowSchema(schema_of(seeds)) if seeds else None
    found = RowSchema(request.row_schema)
    given = len(request.seed_rows)
    for place, row in enumerate(seeds):
        if wrong := found.wrong(row):
            param = "seed_rows" if place < given else "seed_dataset_id"
            where = f"`seed_rows[{place}]`" if place < given else f"Row {place - given} of `{request.seed_dataset_id}`"
            raise RequestError(f"{where} does not fit `row_schema`: {wrong}", param=param, code="invalid_value")
    return found


def schema_of(values: Sequence[Any]) -> Json:
    """The schema of what all these values are: their types, columns, and which of these each has."""
    kinds = sorted({_TYPES[type(value)] for value in values})
    if "number" in kinds and "integer" in kinds:
        kinds.remove("integer")
    schema: Json = {"type": kinds[0] if len(kinds) == 1 else kinds}
    if objects := [value for value in values if isinstance(value, dict)]:
        names = dict.fromkeys(name for value in objects for name in value)
        schema["properties"] = {name: schema_of([one[name] for one in objects if name in one]) for name in names}
        schema["required"] = [name for name in names if all(name in one for one in objects)]
        schema["additionalProperties"] = False
    if items := [item for value in values if isinstance(value, list) for item in value]:
        schema["items"] = schema_of(items)
    return schema
