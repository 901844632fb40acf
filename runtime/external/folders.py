"""The files that describe external providers and APIs. Reads them; imports nothing of what they name.

external_providers_dir/{remote,inline}/<api>/<name>.yaml   the provider `remote::<name>` of an API
external_apis_dir/<any name>.yaml                          an API
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from runtime.config import document, requirement
from runtime.config.text import read_text
from runtime.config.validation import check
from runtime.errors import Problem, StackError
from runtime.similar import did_you_mean, nearest

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

    def without_effect(self) -> list[str]:
        """What is given here and read only where the module has no spec of its own. `adapter_type` is the file's name
        over again, and `description` for people.
        """
        own = ("config_class", "api_dependencies", "optional_api_dependencies", "provider_data_validator")
        return [name for name in own if getattr(self, name)]

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
    """A provider as the place of its file and what is in it describe it. api: that of the folder, or the one that its
    name comes near. settings: None where the description cannot be used; wrong: why, as what follows its type.
    """

    file: Path
    api: str
    provider_type: str
    settings: ProviderFile | None
    wrong: str = ""

    @property
    def is_near(self) -> bool:
        """Whether its folder is of no API, and it was found for the one that the name comes near."""
        return self.api != self.file.parent.name


@dataclass(frozen=True, kw_only=True)
class DescribedApi:
    file: Path
    settings: ApiFile


def described_providers(folder: Path, problems: list[Problem], apis: Collection[str]) -> Iterator[DescribedProvider]:
    """Every provider that a folder describes, sorted by its place. apis: the names of those that exist. What cannot be
    used is added to `problems`.
    """
    for other in sorted(folder.iterdir()) if folder.is_dir() else ():
        if other.is_dir() and other.name not in _KINDS and not other.name.startswith("."):
            meant = did_you_mean(other.name, _KINDS)
            message = "has no effect: providers are described in `remote/<api>` and `inline/<api>`"
            problems.append(Problem(message=message, file=str(other), hint=meant))
    for kind in _KINDS:
        for misplaced in [*_files(folder / kind, "*"), *_files(folder / kind, "*/*/**/*")]:
            message = f"has no effect: a provider is described in `{kind}/<api>/<name>.yaml`"
            problems.append(Problem(message=message, file=str(misplaced)))
        of_types: dict[Path, list[Path]] = {}
        for file in _files(folder / kind, "*/*"):
            of_types.setdefault(file.with_suffix(""), []).append(file)
        for place, files in of_types.items():
            yield _described(f"{kind}::{place.name}", files, problems, apis)


def _described(
    provider_type: str, files: list[Path], problems: list[Problem], apis: Collection[str]
) -> DescribedProvider:
    """files: all that describe this type of this API."""
    file, folder = files[0], files[0].parent
    found = [_read(ProviderFile, one, problems) for one in files]
    api, settings, wrong = folder.name, found[0], "" if found[0] else f"is described by {file}, which cannot be read"
    if len(files) > 1:
        settings, wrong = None, f"is described twice, by {file} and by {files[1]}: remove one of them"
        problems.append(Problem(message=f"`{provider_type}` {wrong}", file=str(file)))
    if api not in apis:
        settings, hint = None, did_you_mean(api, [*apis])
        wrong = f"is described in {folder}, and there is no API `{api}`" + (f" ({hint})" if hint else "")
        problems.append(Problem(message=f"there is no API `{api}`", file=str(folder), hint=hint))
        api = next(iter(nearest(api, [*apis])), api)
    return DescribedProvider(file=file, api=api, provider_type=provider_type, settings=settings, wrong=wrong)


def described_apis(folder: Path, problems: list[Problem]) -> Iterator[DescribedApi]:
    """Every API that a folder describes; none where it is not there. What cannot be used is added to `problems`."""
    files: dict[str, Path] = {}
    for file in _files(folder, "*"):
        if (settings := _read(ApiFile, file, problems)) is None:
            continue
        if (first := files.setdefault(settings.name, file)) != file:
            message = f"has no effect: {first} describes the API `{settings.name}` too: remove one of them"
            problems.append(Problem(message=message, file=str(file)))
            continue
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
    problems.extend(replace(one, message=str(replace(one, file=None, line=None, hint=None)), path="") for one in found)
    return settings
