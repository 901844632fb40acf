"""What a provider, and each of its shields, is told about a Llama Guard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from runtime.errors import RequestError
from runtime.parsing.settings import checked_settings
from runtime.providers.safety._llama_guard.categories import Category, own_categories

Form = Literal["task", "conversation"]
VersionName = Annotated[
    Literal["1", "2", "3-8b", "3-1b", "3-11b-vision", "4"],
    BeforeValidator(lambda given: str(given) if isinstance(given, int) else given),  # YAML reads `4` as a number
]


class OwnCategory(BaseModel):
    """A category in place of the version's own."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(description="What the model answers: capital letters and a number, such as `S1`.")
    name: str = Field(description="What it is about, in a few words.")
    description: str = Field("", description="What is of it and what is not, in lines of text. Default: nothing.")
    openai: list[str] = Field(
        default_factory=list, max_length=13, description="OpenAI's categories that it counts as. Default: none."
    )


class GuardSettings(BaseModel):
    """For a provider as its config; for one of its shields, and for one request, as `params`, which go before it."""

    model_config = ConfigDict(extra="forbid")

    excluded_categories: list[str] = Field(
        default_factory=list,
        max_length=64,
        description="Codes of categories that are not asked about, such as `S6`. The same code means something else in"
        " another generation: `S5` is specialized advice in Llama Guard 2, and defamation from 3 on. Default: none.",
    )
    version: VersionName | None = Field(
        None,
        description="Which Llama Guard the model is: `1`, `2`, `3-8b`, `3-1b`, `3-11b-vision` or `4`. Default: what the"
        " model's name tells.",
    )
    form: Form = Field(
        "task",
        description="What the model is sent. `task`: the whole task, with the categories, as one message of the user,"
        " as llama-stack does; any server takes it. `conversation`: the messages alone, for a server whose chat"
        " template writes the task around them, as Ollama's and those beside Meta's weights do: around the task it"
        " would write a second one. All categories of the version are asked about then.",
    )
    categories: list[OwnCategory] = Field(
        default_factory=list,
        max_length=64,
        description="Categories of your own, in place of the version's; for `form: task`. Default: the version's.",
    )

    @model_validator(mode="after")
    def _askable(self) -> Self:
        """Raises ValueError for categories that cannot be asked about."""
        if self.categories and self.form == "conversation":
            raise ValueError("`categories` need `form: task`: a chat template has categories of its own")
        if self.categories:
            try:
                self.own_categories()
            except RequestError as error:
                raise ValueError(error.words) from None
        return self

    def own_categories(self) -> tuple[Category, ...]:
        """Empty where the version's are meant."""
        if not self.categories:
            return ()
        return own_categories([Category(**{**vars(one), "openai": tuple(one.openai)}) for one in self.categories])

    def told(self, params: Mapping[str, Any]) -> GuardSettings:
        """These settings with those of a shield over them; null leaves one as it is. Raises RequestError."""
        given = {name: value for name, value in params.items() if value is not None}
        if not given:
            return self
        return checked_settings({**self.model_dump(include=set(GuardSettings.model_fields)), **given}, GuardSettings)
