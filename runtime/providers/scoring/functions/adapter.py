"""The functions that packages bring."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.apis._request import Registered
from runtime.apis.datasets.protocol import Row
from runtime.apis.providers.protocol import ProviderHealth
from runtime.apis.scoring.functions import ListedFunction, check_columns
from runtime.apis.scoring.params import BasicParams, ScoringParams
from runtime.apis.scoring.protocol import ERROR, SCORE, ScoredRows, ScoreRowsRequest
from runtime.concurrently import concurrently
from runtime.errors import NotFound, RequestError, Unavailable
from runtime.invalid.vocabulary import quoted
from runtime.provider import ProviderContext, healthy
from runtime.providers.scoring.functions.config import FunctionsConfig
from runtime.providers.scoring.functions.found import GROUP, Found, found_functions
from runtime.providers.scoring.functions.running import Broken, Ended, running
from runtime.similar import names_for

_MOST_ENDED = 3
"""Rows in a row at which a process ended; those after them are not tried."""


class FunctionsScoring:
    """Each function is imported once to say what it is, and for each request that it scores."""

    def __init__(self, config: FunctionsConfig, context: ProviderContext) -> None:
        self._config = config
        self._places = asyncio.Semaphore(config.at_once)
        self._about: dict[Found, Mapping[str, Any]] = {}
        self._broken: dict[Found, str] = {}

    async def list_scoring_functions(self) -> list[ListedFunction]:
        """Every function; the description of one that cannot be imported says so, and it is tried again."""
        found = await asyncio.to_thread(found_functions)
        return await concurrently(self._listed, found.values(), at_once=self._config.at_once)

    async def check_health(self) -> ProviderHealth:
        """Which functions cannot be used, of which packages, and why; the others can."""
        reasons = [f"`{one.name}` of the package `{one.package}`: {why}" for one, why in self._broken.items()]
        return healthy(message="; ".join(reasons) or None)

    async def check_registration(self, resource: Registered) -> None:
        """Raises NotFound for a function that no package has."""
        await self._found(resource.provider_resource_id, "provider_scoring_fn_id")

    async def score_rows(self, request: ScoreRowsRequest) -> ScoredRows:
        """Raises NotFound for a function that no package has, Unavailable for one that cannot be imported, RequestError
        for wrong options and for rows without a column that it states.
        """
        found = await self._found(request.scoring_fn_id, "scoring_fn_id")
        try:
            about = await self._learn(found)
        except Broken as error:
            raise _unusable(found, str(error)) from error
        options = _options_of(found, about, request.params)
        for number, row in enumerate(request.rows, start=1):
            check_columns(row, number, about["columns"])
        async with self._places:
            scored = await self._scored(found, request.rows, options)
        return ScoredRows(rows=scored, columns=[*about["columns"]])

    async def _scored(self, found: Found, rows: Sequence[Row], options: Mapping[str, Any]) -> list[Row]:
        """A process whose row did not end well is followed by another one for the next row."""
        scored: list[Row] = []
        ended = 0
        while len(scored) < len(rows) and ended < _MOST_ENDED:
            try:
                async with running(found.reference, self._config) as function:
                    for row in rows[len(scored) :]:
                        scored.append(await function.score(row, options))
                        ended = 0
            except Broken as error:
                raise _unusable(found, str(error)) from error
            except Ended as error:
                scored.append({SCORE: None, ERROR: str(error)})
                ended += 1
        left = {SCORE: None, ERROR: f"not tried: {_MOST_ENDED} rows before it did not end"}
        return [*scored, *(left.copy() for _ in range(len(rows) - len(scored)))]

    async def _found(self, name: str, param: str) -> Found:
        found = await asyncio.to_thread(found_functions)
        if name not in found:
            hint = names_for(name, found) or f"no installed package has an entry point of the group `{GROUP}`"
            raise NotFound(f"There is no function `{quoted(name)}` here", hint=hint, param=param)
        return found[name]

    async def _learn(self, one: Found) -> Mapping[str, Any]:
        """What a function says of itself, which is asked once. Raises Broken."""
        if one in self._about:
            return self._about[one]
        async with self._places:
            try:
                async with running(one.reference, self._config) as function:
                    self._about[one] = function.about
            except Broken as error:
                self._broken[one] = str(error)
                raise
        self._broken.pop(one, None)
        return self._about[one]

    async def _listed(self, one: Found) -> ListedFunction:
        try:
            about = await self._learn(one)
        except Broken as error:
            return ListedFunction(
                name=one.name, description=f"Cannot be used: {error}", params=BasicParams(), columns=()
            )
        described = about["description"] or f"`{one.reference}` of the package `{one.package}`"
        return ListedFunction(
            name=one.name,
            description=described,
            params=BasicParams(),
            returns=about["returns"],
            columns=about["columns"],
        )


def _unusable(one: Found, why: str) -> Unavailable:
    return Unavailable(f"The function `{one.name}` of the package `{one.package}` cannot be used: {why}")


def _options_of(found: Found, about: Mapping[str, Any], params: ScoringParams | None) -> Mapping[str, Any]:
    if params is not None and not isinstance(params, BasicParams):
        raise RequestError(
            f"`{found.name}` takes params of the type `basic`, and is given `{params.type}`", param="params"
        )
    options = (params.options if params else None) or {}
    names = ", ".join(f"`{name}`" for name in about["options"]) or "none"
    for name in options:
        if name not in about["options"] and not about["takes_any"]:
            raise RequestError(
                f"`params.options.{quoted(name)}`: `{found.name}` takes no such option",
                hint=f"there are {names}",
                param="params",
            )
    for name in about["required"]:
        if name not in options:
            raise RequestError(f"`params.options` lacks `{name}`, which `{found.name}` needs", param="params")
    return options
