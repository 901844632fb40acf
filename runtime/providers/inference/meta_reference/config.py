"""Settings of our own engine."""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from runtime.providers.inference._keep_alive import FOR_EVER, KeepAlive


class ModelSettings(BaseModel):
    """How one model runs, and how long it stays in memory."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    dtype: str = Field("auto", description="auto, float32 or bfloat16.")
    max_batch_size: int = Field(16, ge=1, description="Sequences that are computed together.")
    max_waiting: int = Field(
        2048,
        ge=1,
        description="Answers that may wait while others are computed, with 512 prompt tokens for each on average."
        " A request beyond that gets a 429; one with `n` answers counts `n` times.",
    )
    max_seq_len: int | None = Field(
        None, ge=1, description="Prompt and answer together, in tokens; by default the model's own limit."
    )
    kv_cache_bytes: int | None = Field(
        None, ge=1, description="Memory for the KV cache, in bytes; by default a share of what is free."
    )
    prefill_chunk_tokens: int | None = Field(
        None,
        ge=1,
        description="Tokens of prompts that are read in a step which also writes answers: with fewer, answers that are"
        " being streamed pause for less while a long prompt is read, and the prompt takes longer. By default 128 on a"
        " CPU and 512 on a GPU.",
    )
    prefix_cache_tokens: int | None = Field(
        None,
        ge=0,
        description="Tokens of ended requests that stay in the KV cache, so that a prompt which begins like them is"
        " read faster; 0 for none. By default two full contexts on a CPU, and the whole cache on a GPU.",
    )
    threads: int | None = Field(
        None, ge=1, description="CPU threads; by default one per core. Models that answer at once share the cores."
    )
    load_timeout_s: float = Field(
        300.0, gt=0, description="How long a request waits for a model that is being loaded, in seconds."
    )
    keep_alive: KeepAlive = Field(
        FOR_EVER,
        description="How long a model stays in memory after its last answer, such as `10m` or a number of seconds;"
        " 0 is not at all, -1 for ever. A request's own `keep_alive` counts before it.",
    )
    pinned: bool = Field(
        False, description="Whether it stays in memory whatever happens: it makes no room for other models."
    )
    preload: bool | None = Field(
        None,
        description="Whether it is loaded when the server starts, not by its first request; by default so for the first"
        " model and for pinned ones.",
    )

    @property
    def keep_alive_s(self) -> float:
        """Infinity for ever."""
        return math.inf if self.keep_alive < 0 else self.keep_alive


_MODEL = (
    "A model that comes with the distribution or was downloaded or imported, or the path of a GGUF file or of a"
    " checkpoint's folder."
)
_CHECKPOINT_DIR = "The path of the weights; `model` is then only their name. Default: none."


class ModelEntry(ModelSettings):
    """One of several models. A setting that it leaves out is as for the provider."""

    model: str = Field(min_length=1, description=_MODEL)
    checkpoint_dir: str | None = Field(None, description=_CHECKPOINT_DIR)

    def with_defaults(self, settings: ModelSettings) -> Self:
        """The entry with every setting that it leaves out taken from `settings`."""
        left_out = ModelSettings.model_fields.keys() - self.model_fields_set
        return self.model_copy(update={name: getattr(settings, name) for name in left_out})


def _entry(given: Any) -> Any:
    return {"model": given} if isinstance(given, str) else given


class MetaReferenceConfig(ModelSettings):
    """One or several models, with the memory and threads for each."""

    model: str = Field("SmolLM2-135M-Instruct", min_length=1, description=_MODEL)
    checkpoint_dir: str | None = Field(None, description=_CHECKPOINT_DIR)
    models: list[Annotated[ModelEntry, BeforeValidator(_entry)]] = Field(
        [],
        description="More models than one: names or paths as in `model`, or entries with `model` and settings of their"
        " own. They are loaded by their first request. `model` is then only served if it is given too. Default: none.",
    )
    max_loaded_models: int | None = Field(
        None,
        ge=1,
        description="Models that are in memory at once; for one more, the one that was not used for the longest time is"
        " unloaded. By default as many as there is memory for.",
    )

    def entries(self) -> list[ModelEntry]:
        """Every model with all its settings, in the order in which they are served: `model` is the first."""
        given = list(self.models)
        if not given or self.model_fields_set & {"model", "checkpoint_dir"}:
            given.insert(0, ModelEntry(model=self.model, checkpoint_dir=self.checkpoint_dir))
        entries = [entry.with_defaults(self) for entry in given]
        for position, entry in enumerate(entries):
            if entry.preload is None:
                entry.preload = position == 0 or entry.pinned
        return entries
