"""Containers as OpenAI's clients make and read them: https://platform.openai.com/docs/api-reference/containers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from runtime.apis._names import NamedResource, ResourceId
from runtime.apis._paging import Page, PageRequest
from runtime.apis._request import AT_ONCE, Deleted, Request, Response, example
from runtime.apis.containers.limits import MemoryLimit

MOST_FILES_AT_CREATION = 50


class ContainerExpiresAfter(Request):
    """When a container expires. It cannot be used after that, and its files are removed."""

    anchor: Literal["last_active_at"] = Field(
        "last_active_at", description="From when: always `last_active_at`, which is the default."
    )
    minutes: int = Field(ge=1, le=1440, description="For how long it is not used, in minutes: from 1 to 1440.")


class NetworkPolicy(Request):
    """What code in a container can reach."""

    type: Literal["disabled", "allowlist"] = Field(
        description="`disabled`: nothing. `allowlist` is refused where its provider cannot hold it."
    )
    allowed_domains: Annotated[list[str], AT_ONCE] | None = Field(
        None, description="What can be reached, with `allowlist`. Default: nothing."
    )


class ContainerSettings(Request):
    """What a container is like."""

    file_ids: Annotated[list[NamedResource], AT_ONCE] | None = Field(
        None,
        max_length=MOST_FILES_AT_CREATION,
        description="Files that are copied into it, at most 50. Default: none.",
    )
    memory_limit: MemoryLimit | None = Field(
        None, description="How much memory its code may take. Default: the provider's, usually `1g`."
    )
    network_policy: NetworkPolicy | None = Field(
        None, description="What its code can reach. The default is nothing: `disabled`."
    )


class CreateContainerRequest(ContainerSettings):
    """A container to make."""

    model_config = example(name="analysis", expires_after={"anchor": "last_active_at", "minutes": 20})

    name: str = Field(min_length=1, max_length=256, description="Its name.")
    expires_after: ContainerExpiresAfter | None = Field(
        None, description="When it expires. Default: 20 minutes after it was last used."
    )
    image: str | None = Field(
        None, description="An image to run; refused where its provider has none. Default: the provider's own."
    )
    skills: list[Any] | None = Field(None, description="Refused until there are skills. Default: none.")


class ContainerRequest(Request):
    """Which container."""

    container_id: ResourceId = Field(min_length=1, description="Its id.")


class ListContainersRequest(PageRequest):
    """Which containers."""

    name: str | None = Field(None, max_length=256, description="Only those of this name. Default: all.")


class Container(Response):
    """A place apart where code runs."""

    id: str = Field(description="By which it is used.")
    object: Literal["container"] = "container"
    name: str = Field(description="Its name.")
    created_at: int = Field(description="When it was made, in seconds since 1970.")
    status: Literal["running", "expired"] = Field(description="`running`, or `expired`: it cannot be used any more.")
    last_active_at: int = Field(description="When it was last used, in seconds since 1970.")
    expires_after: ContainerExpiresAfter = Field(description="When it expires.")
    memory_limit: MemoryLimit = Field(description="How much memory its code may take.")
    network_policy: NetworkPolicy = Field(description="What its code can reach.")


class ContainerList(Page):
    """The containers that the caller may see."""

    data: list[Container] = Field(description="The containers.")


class ContainerDeleted(Deleted):
    """A container that was deleted."""

    object: Literal["container.deleted"] = "container.deleted"
