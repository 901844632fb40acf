"""The files that describe external providers and APIs. Reads them; imports nothing of what they name.

external_providers_dir/{remote,inline}/<api>/<name>.yaml   the provider `remote::<name>` of an API
external_apis_dir/<any name>.yaml                          an API
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from runtime.config import document, requirement
from runtime.config.text import read_text
from runtime.config.validation import check
from runtime.errors import Problem, StackError
from runtime.similar import did_you_mean

_KINDS = ("remote", "inline")
Package = Annotated[str, AfterValidator(requirement.checked)]


class ProviderFile(BaseModel):
    """A provider's file. module: gives the provider's spec, or has the functions of llama-stack's earlier interface."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    module: str = Field(min_length=1)
    config_class: str | None = None
    pip_packages: list[Package] = Field(default_factory=list)
    api_dependencies: list[str] = Field(default_factory=list)
    optional_api_dependencies: list[str] = Field(default_factory=list)
    provider_data_validator: str | None = None
    description: str | None = None
    adapter_type: str | None = None
    container_image: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, given: Any) -> Any:
        """Until 0.2, a part of it stood below `adapter`."""
        inner = given.get("adapter") if isinstance(given, dict) else None
        return (
            {**{key: value for key, value in given.items() if key != "adapter"}, **inner}
            if isinstance(inner, dict)
            else given
        )


class ApiFile(BaseModel):
    """An API's file. protocol: of llama-stack's earlier interface; ours is the module's `API`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str = Field(min_length=1)
    module: str = Field(min_length=1)
    protocol: str | None = None
    pip_packages: list[Package] = Field(default_factory=list)
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class DescribedProvider:
    """A provider as the place of its file and what is in it describe it. settings: None where it could not be read."""

    file: Path
    api: str
    provider_type: str
    settings: ProviderFile | None


@dataclass(frozen=True, kw_only=True)
class DescribedApi:
    file: Path
    settings: ApiFile


def described_providers(folder: Path, problems: list[Problem]) -> Iterator[DescribedProvider]:
    """Every provider that a folder describes, sorted by its place. What cannot be read is added to `problems`."""
    for other in sorted(folder.iterdir()) if folder.is_dir() else ():
        if other.is_dir() and other.name not in _KINDS and not other.name.startswith("."):
            meant = did_you_mean(other.name, _KINDS)
            message = "has no effect: providers are described in `remote/<api>` and `inline/<api>`"
            problems.append(Problem(message=message, file=str(other), hint=meant))
    for kind in _KINDS:
        for file in _files(folder / kind, "*/*"):
            settings = _read(ProviderFile, file, problems)
            yield DescribedProvider(
                file=file, api=file.parent.name, provider_type=f"{kind}::{file.stem}", settings=settings
            )


def described_apis(folder: Path, problems: list[Problem]) -> Iterator[DescribedApi]:
    """Every API that a folder describes; none where it is not there. What cannot be read is added to `problems`."""
    for file in _files(folder, "*"):
        if (settings := _read(ApiFile, file, problems)) is not None:
            yield DescribedApi(file=file, settings=settings)


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(file for ending in ("yaml", "yml") for file in folder.glob(f"{pattern}.{ending}"))


def _read(model: type[Any], file: Path, problems: list[Problem]) -> Any:
    try:
        root, found = document.parse(read_text(file), file=str(file))
    except StackError as error:
        problems.append(Problem(message=error.message, file=str(file), hint=error.hint))
        return None
    if root is not None and root.mapping is None:
        found.append(Problem(message="expected a mapping", file=str(file), line=root.line))
    settings = check(model, root.without_nulls(), problems=found, file=str(file)) if root and not found else None
    problems.extend(found)
    return settings
