"""Settings of the encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from runtime.errors import StackError
from runtime.providers.inference._kept_settings import (
    KeptSettings,
    MaxLoadedModels,
    every_entry,
    named,
    weights_not_here,
)


class EncoderSettings(KeptSettings):
    """How one model runs."""

    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    threads: int | None = Field(
        None, ge=1, description="CPU threads; by default one per core. Models that compute at once share the cores."
    )
    max_waiting: int = Field(
        16384,
        ge=1,
        description="Texts that may wait or be computed at once, with 2048 characters for each on average."
        " A request beyond that gets a 429.",
    )
    load_timeout_s: float = Field(
        120.0, gt=0, description="How long a request waits for a model that is being loaded, in seconds."
    )


_MODEL = (
    "The model that comes with the distribution, or a sentence-transformers folder: of an embedding model, which"
    " reranks too, or of a cross-encoder, which only reranks."
)


class EncoderEntry(EncoderSettings):
    """One of several models. A setting that it leaves out is as for the provider."""

    model: str = Field(min_length=1, description=_MODEL)


class SentenceTransformersConfig(EncoderSettings):
    """One or several models, and the threads for each."""

    model: str = Field("all-MiniLM-L6-v2", min_length=1, description=_MODEL)
    models: list[Annotated[EncoderEntry, BeforeValidator(named)]] = Field(
        [],
        description="More models than one: names or paths as in `model`, or entries with `model` and settings of their"
        " own. They are loaded by their first request. `model` is then only served if it is given too. Default: none.",
    )
    max_loaded_models: MaxLoadedModels = None

    def entries(self) -> list[EncoderEntry]:
        return every_entry(EncoderEntry(model=self.model), self.models, self)

    def weights_not_here(self, models_dir: Path) -> dict[str, StackError | None]:
        """See `runtime/stack/weights.py`."""
        from runtime.providers.inference.sentence_transformers.weights import SHIPPED, find_weights  # few ask for it

        def find(entry: EncoderEntry) -> None:
            if entry.model not in SHIPPED:
                find_weights(entry.model, models_dir)

        return weights_not_here(self.entries(), len(self.models), find)
