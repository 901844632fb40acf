"""Prompts and their versions, as the caller of the current request may see them."""

from __future__ import annotations

from typing import Any

from runtime.apis._paging import invalid_cursor
from runtime.apis.prompts.protocol import (
    CreatePromptRequest,
    FilledPrompt,
    FillPromptRequest,
    GetPromptRequest,
    ListPromptsRequest,
    ListVersionsRequest,
    Prompt,
    PromptRequest,
    SetDefaultVersionRequest,
    UpdatePromptRequest,
)
from runtime.context import current
from runtime.errors import Conflict, NotFound
from runtime.ids import new_id, new_position, ordered_id
from runtime.provider import ProviderContext
from runtime.providers.prompts.builtin.tables import PROMPTS, SCHEMA, VERSIONS, version_key
from runtime.providers.prompts.builtin.template import check_variables, filled
from runtime.sse import Reply
from runtime.storage import sql
from runtime.storage.sql.paging import read_page

_SHOWN = ("id", "version", "prompt", "variables")


class BuiltinPrompts:
    """Implements `Prompts`."""

    def __init__(self, config: object, context: ProviderContext) -> None:
        self._store = context.storage.sql("prompts", SCHEMA)

    async def create_prompt(self, request: CreatePromptRequest) -> Prompt:
        """Raises RequestError for variables that do not fit, Unavailable."""
        text = _checked(request)
        position = new_position()
        prompt_id = ordered_id("pmpt_", position) + new_id("")
        row = {"id": prompt_id, "position": position, "latest": 1, "version": 1, **text}
        await self._mine().write(sql.Insert(PROMPTS, row), _version(prompt_id, 1, text))
        return Prompt(**_shown(row))

    async def list_prompts(self, request: ListPromptsRequest) -> Reply:
        """Raises RequestError for a cursor that is none, Unavailable."""
        rows, has_more = await read_page(
            self._mine(), PROMPTS, request, columns=_SHOWN, heavy=("prompt",), what="prompt"
        )
        return _page(rows, [_shown(row) for row in rows], has_more=has_more)

    async def get_prompt(self, request: GetPromptRequest) -> Prompt:
        """Raises NotFound, Unavailable."""
        return Prompt(**await self._found(request.prompt_id, request.version))

    async def update_prompt(self, request: UpdatePromptRequest) -> Prompt:
        """Raises NotFound, Conflict for a version that is not the latest, RequestError for variables that do not fit,
        Unavailable.
        """
        text = _checked(request)
        prompt_id, version = request.prompt_id, request.version + 1
        changes: dict[str, Any] = {"latest": version}
        if request.set_as_default:
            changes |= {"version": version, **text}
        is_latest = sql.eq("id", prompt_id) & sql.eq("latest", request.version)
        try:
            await self._mine().write(
                sql.Update(PROMPTS, changes, is_latest, expect=1), _version(prompt_id, version, text)
            )
        except sql.Stale:
            latest = (await self._row(prompt_id))["latest"]
            raise Conflict(
                f"Version {request.version} is not the latest of the prompt `{prompt_id}`: that is version {latest}",
                hint=f"read version {latest}, and give `version: {latest}` with what it is to become",
                param="version",
                code="not_the_latest_version",
            ) from None
        return Prompt(**_shown({"id": prompt_id, "version": version, **text}, is_default=request.set_as_default))

    async def delete_prompt(self, request: PromptRequest) -> None:
        """Raises NotFound, Unavailable."""
        if await self._mine().write(sql.Delete(PROMPTS, sql.eq("id", request.prompt_id))) == [0]:
            raise _unknown(request.prompt_id)

    async def list_versions(self, request: ListVersionsRequest) -> Reply:
        """Raises NotFound, RequestError for a cursor that is no version of this prompt, Unavailable."""
        prompt_id = request.prompt_id
        default = (await self._row(prompt_id))["version"]
        for field, cursor in (("after", request.after), ("before", request.before)):
            if cursor is not None and not cursor.startswith(f"{prompt_id}-"):
                raise invalid_cursor(field, cursor, "version of this prompt")
        rows, has_more = await read_page(
            self._store, VERSIONS, request, where=sql.eq("prompt_id", prompt_id), heavy=("prompt",), what="version"
        )
        shown = [_shown(_as_prompt(row), is_default=row["position"] == default) for row in rows]
        return _page(rows, shown, has_more=has_more)

    async def set_default_version(self, request: SetDefaultVersionRequest) -> Prompt:
        """Raises NotFound, Unavailable."""
        found = await self._found(request.prompt_id, request.version)
        if not found["is_default"]:
            row = {"version": found["version"], "prompt": found["prompt"].encode(), "variables": found["variables"]}
            if await self._mine().write(sql.Update(PROMPTS, row, sql.eq("id", request.prompt_id))) == [0]:
                raise _unknown(request.prompt_id)
        return Prompt(**found | {"is_default": True})

    async def fill_prompt(self, request: FillPromptRequest) -> FilledPrompt:
        """Raises NotFound, RequestError for values that do not fit, TooLarge, Unavailable."""
        found = await self._found(request.id, request.version, param="prompt.id", version_param="prompt.version")
        content = filled(found["prompt"], request.variables or {}, variables=found["variables"])
        return FilledPrompt(prompt_id=request.id, version=found["version"], content=content)

    def _mine(self) -> sql.SqlStore:
        return self._store.for_user(current().user)

    async def _row(self, prompt_id: str, *, param: str = "prompt_id") -> sql.Row:
        row = await self._mine().first(sql.Select(PROMPTS, sql.eq("id", prompt_id)))
        if row is None:
            raise _unknown(prompt_id, param)
        return row

    async def _found(
        self, prompt_id: str, version: str | int | None, *, param: str = "prompt_id", version_param: str = "version"
    ) -> dict[str, Any]:
        """A version as it is shown; None: the default one. Raises NotFound."""
        row = await self._row(prompt_id, param=param)
        if version is None or str(version) == str(row["version"]):
            return _shown(row)
        other = await self._store.first(sql.Select(VERSIONS, sql.eq("id", version_key(prompt_id, version))))
        if other is None:
            raise NotFound(
                f"The prompt `{prompt_id}` has no version `{str(version)[:20]}`: its latest is {row['latest']}",
                param=version_param,
                code="prompt_version_not_found",
            )
        return _shown(_as_prompt(other), is_default=False)


def _checked(request: CreatePromptRequest | UpdatePromptRequest) -> dict[str, Any]:
    """The columns of a text. Raises RequestError where its variables are not those that are given."""
    variables = list(dict.fromkeys(request.variables or ()))
    check_variables(request.prompt, variables)
    return {"prompt": request.prompt.encode(), "variables": variables}


def _version(prompt_id: str, version: int, text: dict[str, Any]) -> sql.Insert:
    key = version_key(prompt_id, version)
    return sql.Insert(VERSIONS, {"id": key, "position": version, "prompt_id": prompt_id, **text})


def _as_prompt(version: sql.Row) -> sql.Row:
    """The row of a version with the names of a prompt's row."""
    return version | {"id": version["prompt_id"], "version": version["position"]}


def _shown(row: sql.Row, *, is_default: bool = True) -> dict[str, Any]:
    """The fields of `Prompt`. row: of a prompt, with the version that is shown."""
    return {
        "prompt_id": row["id"],
        "prompt": row["prompt"].decode(),
        "version": row["version"],
        "variables": row["variables"],
        "is_default": is_default,
    }


def _page(rows: list[sql.Row], shown: list[dict[str, Any]], *, has_more: bool) -> Reply:
    first_id, last_id = (rows[0]["id"], rows[-1]["id"]) if rows else (None, None)
    return Reply.of({"object": "list", "data": shown, "first_id": first_id, "last_id": last_id, "has_more": has_more})


def _unknown(prompt_id: str, param: str = "prompt_id") -> NotFound:
    return NotFound(
        f"There is no prompt `{prompt_id}`",
        hint="`GET /v1/prompts` lists those that you may see",
        param=param,
        code="prompt_not_found",
    )
