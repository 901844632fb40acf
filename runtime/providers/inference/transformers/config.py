"""Settings of rerankers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from runtime.errors import StackError
from runtime.providers.inference._kept_settings import (
    KeptSettings,
    MaxLoadedModels,
    every_entry,
    named,
    weights_not_here,
)

_MODEL = (
    "A model of the hub that was downloaded (`llama model download`), or a folder as transformers writes it: a causal"
    " model that was trained to answer yes or no, or a classifier with one label."
)


class RerankerSettings(KeptSettings):
    """How one model runs."""

    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto, float32 or bfloat16; with auto, bfloat16 on a GPU and float32 elsewhere."
    )
    max_tokens: int = Field(
        8192, ge=16, description="Of a query with one document; documents are cut to it. At most what the model reads."
    )
    instruction: str = Field(
        "Given a web search query, retrieve relevant passages that answer the query",
        min_length=1,
        description="What a model that answers yes or no is told to judge by.",
    )
    max_waiting: int = Field(
        4096,
        ge=1,
        description="Documents that may wait or be computed at once, with 2048 characters for each on average."
        " A request beyond that gets a 429.",
    )
    load_timeout_s: float = Field(
        300.0, gt=0, description="How long a request waits for a model that is being loaded, in seconds."
    )


class RerankerEntry(RerankerSettings):
    """One of several models. A setting that it leaves out is as for the provider."""

    model: str = Field(min_length=1, description=_MODEL)


class TransformersConfig(RerankerSettings):
    """One or several models."""

    model: str = Field("Qwen/Qwen3-Reranker-0.6B", min_length=1, description=_MODEL)
    models: list[Annotated[RerankerEntry, BeforeValidator(named)]] = Field(
        [],
        description="More models than one: names or paths as in `model`, or entries with `model` and settings of their"
        " own. They are loaded by their first request. `model` is then only served if it is given too. Default: none.",
    )
    max_loaded_models: MaxLoadedModels = None

    def entries(self) -> list[RerankerEntry]:
        return every_entry(RerankerEntry(model=self.model), self.models, self)

    def weights_not_here(self, models_dir: Path) -> dict[str, StackError | None]:
        """See `runtime/stack/weights.py`."""
        from runtime.catalog.weights import find_model  # few ask for it

        def find(entry: RerankerEntry) -> None:
            find_model(entry.model, {}, what=FOLDER, models_dir=models_dir)

        return weights_not_here(self.entries(), len(self.models), find)


FOLDER = "a folder as transformers writes it"
