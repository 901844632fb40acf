"""Settings of our own engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from runtime.engine.memory.plan import check_dtype
from runtime.errors import RequestError, StackError
from runtime.providers.inference._kept_settings import (
    KeptSettings,
    MaxLoadedModels,
    every_entry,
    named,
    weights_not_here,
)


def _known(dtype: str) -> str:
    try:
        check_dtype(dtype)
    except RequestError as error:
        raise ValueError(f"{error.message.removesuffix('.')}: {error.hint}") from error
    return dtype


class ModelSettings(KeptSettings):
    """How one model runs."""

    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    dtype: Annotated[str, AfterValidator(_known)] = Field(
        "auto",
        description="auto, float32, bfloat16, fp8 or quantized. With auto, a quantised file stays quantised on a CPU;"
        " with quantized, the weights of any other checkpoint are rounded to 8 bits there, which makes answers several"
        " times faster. With fp8, for a GPU, those of any checkpoint are rounded to 8 bits but for embedding, head and"
        " norms, and take about half the memory. Also `bf16`, and `fp8_mixed` for fp8.",
    )
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
        " read faster; 0 for none. By default two full contexts, at most 16,384, on a CPU, and the whole cache on a"
        " GPU.",
    )
    speculative_tokens: int | None = Field(
        None,
        ge=0,
        description="Tokens that are guessed in a step from what was said before, for all answers together, and kept"
        " where they are right: answers that repeat something come faster, and no answer changes; 0 for none. By"
        " default 7 where a quantised model runs on a CPU, else 0.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="CPU threads; by default one per core, fewer for small models. Models that answer at once share "
        "the cores.",
    )
    split_attention: bool = Field(
        True,
        description="Whether a GPU may attend to a long context in several parts at once, which is faster where few"
        " answers are computed together; how many depends on the others, and so do the last bits of the result."
        " Default: true.",
    )
    load_timeout_s: float = Field(
        300.0, gt=0, description="How long a request waits for a model that is being loaded, in seconds."
    )


_MODEL = (
    "A model that comes with the distribution or was downloaded or imported, or the path of a GGUF file or of a"
    " checkpoint's folder."
)
CheckpointDir = Annotated[
    str | None,
    BeforeValidator(lambda given: None if given == "null" else given),  # what llama-stack's templates had for none
    Field(description="The path of the weights; `model` is then only their name. Default: none."),
]


class ModelEntry(ModelSettings):
    """One of several models. A setting that it leaves out is as for the provider."""

    model: str = Field(min_length=1, description=_MODEL)
    checkpoint_dir: CheckpointDir = None


class MetaReferenceConfig(ModelSettings):
    """One or several models, with the memory and threads for each."""

    model: str = Field("SmolLM2-135M-Instruct", min_length=1, description=_MODEL)
    checkpoint_dir: CheckpointDir = None
    models: list[Annotated[ModelEntry, BeforeValidator(named)]] = Field(
        [],
        description="More models than one: names or paths as in `model`, or entries with `model` and settings of their"
        " own. They are loaded by their first request. `model` is then only served if it is given too. Default: none.",
    )
    max_loaded_models: MaxLoadedModels = None

    def entries(self) -> list[ModelEntry]:
        return every_entry(ModelEntry(model=self.model, checkpoint_dir=self.checkpoint_dir), self.models, self)

    def weights_not_here(self, models_dir: Path) -> dict[str, StackError | None]:
        """See `runtime/stack/weights.py`."""
        from runtime.providers.inference.meta_reference.weights import SHIPPED, find_weights  # few ask for it

        def find(entry: ModelEntry) -> None:
            if entry.checkpoint_dir is not None or entry.model not in SHIPPED:
                find_weights(entry.model, entry.checkpoint_dir, models_dir)

        return weights_not_here(self.entries(), len(self.models), find)
