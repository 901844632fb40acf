"""The operations of the API `prompts`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from runtime.apis._api import Alias, inner, route
from runtime.apis._names import ResourceId
from runtime.apis._paging import Order, Page, PageRequest
from runtime.apis._request import AT_ONCE, Request, Response, example
from runtime.errors import Conflict, NotFound, Unavailable
from runtime.sse import Reply

_LONGEST_PROMPT, _LONGEST_NAME, _MOST_VARIABLES, _GREATEST_VERSION = 1024**2, 64, 256, 2**31 - 1


def is_variable_name(name: str) -> bool:
    """Whether a variable can be called so: by letters, digits and underscores, at most 64."""
    return re.fullmatch(rf"\w{{1,{_LONGEST_NAME}}}", name) is not None


def _variable_name(given: str) -> str:
    if not is_variable_name(given):
        raise PydanticCustomError(
            "no_variable_name",
            "a variable cannot be called `{name}`: its name has only letters, digits and underscores, at most {limit}",
            {"name": given[:_LONGEST_NAME], "limit": _LONGEST_NAME},
        )
    return given


Variables = Annotated[list[Annotated[str, AfterValidator(_variable_name)]], AT_ONCE, Field(max_length=_MOST_VARIABLES)]
PromptText = Annotated[str, Field(min_length=1, max_length=_LONGEST_PROMPT)]
Version = Annotated[int, Field(ge=1, le=_GREATEST_VERSION)]
_TEXT = "The text, of at most 1048576 characters; a variable is written `{{ name }}`."
_VARIABLES = "The names of all variables of the text, at most 256, and no others. By default, the text has none."


class CreatePromptRequest(Request):
    """A prompt to keep, as version 1."""

    model_config = example(prompt="Answer in {{ language }}, in one sentence.", variables=["language"])

    prompt: PromptText = Field(description=_TEXT)
    variables: Variables | None = Field(None, description=_VARIABLES)


class PromptRequest(Request):
    """Which prompt."""

    prompt_id: ResourceId = Field(min_length=1, description="The prompt's id.")


class GetPromptRequest(PromptRequest):
    """Which version of a prompt."""

    version: Version | None = Field(
        None, description="The version, from 1 on. By default, the prompt's default version."
    )


class UpdatePromptRequest(PromptRequest):
    """A new version of a prompt. What it does not have is not taken from the version before."""

    model_config = example(prompt="Answer in {{ language }}.", version=1, variables=["language"])

    prompt: PromptText = Field(description=_TEXT)
    version: Version = Field(
        strict=True, description="The latest version, which this one follows; any other is refused."
    )
    variables: Variables | None = Field(None, description=_VARIABLES)
    set_as_default: bool = Field(
        True, strict=True, description="Whether it is the default version from now on. The default is true."
    )


class SetDefaultVersionRequest(PromptRequest):
    """Which version of a prompt is to be its default."""

    model_config = example(version=1)

    version: Version = Field(strict=True, description="The version, from 1 on.")


class ListPromptsRequest(PageRequest):
    """Which prompts."""

    limit: int = Field(1000, ge=1, le=1000, description="The most items of a page. The default is 1000.")


class ListVersionsRequest(ListPromptsRequest, PromptRequest):
    """Which versions of a prompt. The id of a version, for `after` and `before`, is `<prompt_id>-<version>`."""

    order: Order = Field(
        "asc", description="The first version first with `asc`, the default, or the latest with `desc`."
    )


class Prompt(Response):
    """One version of a prompt."""

    prompt_id: str = Field(description="The prompt's id: `pmpt_` and 48 hex digits.")
    prompt: str = Field(description="The text, with its variables as `{{ name }}`.")
    version: int = Field(description="Which version of the prompt this is, from 1 on.")
    variables: list[str] = Field(description="The names of its variables.")
    is_default: bool = Field(description="Whether this is the version that is meant where none is named.")


class PromptList(Page):
    """One page of prompts, or of the versions of one."""

    data: list[Prompt] = Field(description="Of prompts the default version of each, or the versions of one.")


class FillPromptRequest(Request):
    """The `prompt` of a response: https://platform.openai.com/docs/api-reference/responses/create."""

    id: ResourceId = Field(min_length=1, description="The prompt's id.")
    version: str | int | None = Field(None, description="The version. By default, the prompt's default version.")
    variables: dict[str, str | dict[str, Any]] | None = Field(
        None,
        description="By the name of each variable its text, or a part of a message: `input_text`, `input_image` or"
        " `input_file`. By default, the prompt has no variables.",
    )


class FilledPrompt(Response):
    """A version of a prompt with values in the places of its variables."""

    prompt_id: str = Field(description="The prompt's id.")
    version: int = Field(description="The version that was filled.")
    content: str | list[dict[str, Any]] = Field(
        description="A text where all values are texts; else the parts of a message, in the order of the text."
    )


_ONE = "/v1/prompts/{prompt_id}"
_DEFAULT = _ONE + "/set-default-version"


class Prompts(Protocol):
    """A caller's own prompts and those of users with whom the caller shares a group; any other is a 404."""

    @route("POST", "/v1/prompts", raises=(Unavailable,))
    async def create_prompt(self, request: CreatePromptRequest) -> Prompt:
        """Keep a prompt. 400 where the variables of its text are not those that are given."""
        ...

    @route("GET", "/v1/prompts", returns=PromptList, raises=(Unavailable,))
    async def list_prompts(self, request: ListPromptsRequest) -> Reply:
        """The caller's prompts, the newest first, each with its default version. 400 for a cursor that is none."""
        ...

    @route("GET", _ONE, raises=(Unavailable,))
    async def get_prompt(self, request: GetPromptRequest) -> Prompt:
        """A version of a prompt. 404 for an unknown prompt or version."""
        ...

    @route("PUT", _ONE, aliases=(Alias(path=_ONE, method="POST"),), raises=(Conflict, Unavailable))
    async def update_prompt(self, request: UpdatePromptRequest) -> Prompt:
        """Add a version to a prompt. Of several updates of one version, one is done.

        404 for an unknown prompt, 409 for a `version` that is not the latest, 400 where the variables of the text are
        not those that are given.
        """
        ...

    @route("DELETE", _ONE, status=204, raises=(Unavailable,))
    async def delete_prompt(self, request: PromptRequest) -> None:
        """Remove a prompt with all of its versions. 404 for an unknown one."""
        ...

    @route("GET", _ONE + "/versions", returns=PromptList, raises=(Unavailable,))
    async def list_versions(self, request: ListVersionsRequest) -> Reply:
        """The versions of a prompt, the first one first. 404 for an unknown prompt, 400 for a cursor that is none."""
        ...

    @route("PUT", _DEFAULT, aliases=(Alias(path=_DEFAULT, method="POST"),), raises=(NotFound, Unavailable))
    async def set_default_version(self, request: SetDefaultVersionRequest) -> Prompt:
        """Say which version is meant where none is named. 404 for an unknown prompt or version."""
        ...

    @inner()
    async def fill_prompt(self, request: FillPromptRequest) -> FilledPrompt:
        """The content of a prompt, with these values in the places of its variables.

        Raises NotFound for an unknown prompt or version, RequestError for a variable without a value, a value without
        a variable, and a part that no message can have; Unavailable.
        """
        ...
