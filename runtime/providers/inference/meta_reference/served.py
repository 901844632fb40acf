"""What the models of our engine have in common: where their weights are, the sampling their makers advise, and the
engine's options for their settings.
"""

from __future__ import annotations

from pathlib import Path

from runtime.engine.running.options import EngineOptions
from runtime.providers.inference._served_models import Kind
from runtime.providers.inference.meta_reference.config import ModelEntry
from runtime.providers.inference.meta_reference.defaults import SamplingDefaults, sampling_defaults
from runtime.providers.inference.meta_reference.runner import EngineRunner
from runtime.providers.inference.meta_reference.weights import find_weights

LanguageModels = Kind[ModelEntry, SamplingDefaults, EngineRunner]


def language_models(models_dir: Path | None, kernels_dir: Path | None) -> LanguageModels:
    """models_dir: where models are that were downloaded. kernels_dir: where compiled kernels are kept."""
    return Kind(
        find=lambda entry: find_weights(entry.model, entry.checkpoint_dir, models_dir),
        describe=sampling_defaults,
        unknown=SamplingDefaults(),
        run=lambda name, entry, path: EngineRunner(engine_options(name, entry, path, kernels_dir)),
    )


def engine_options(name: str, entry: ModelEntry, path: Path, kernels_dir: Path | None = None) -> EngineOptions:
    """Raises RequestError for impossible numbers."""
    return EngineOptions(
        model=path,
        device=entry.device,
        dtype=entry.dtype,
        max_batch_size=entry.max_batch_size,
        max_context_tokens=entry.max_seq_len,
        kv_cache_bytes=entry.kv_cache_bytes,
        prefill_chunk_tokens=entry.prefill_chunk_tokens,
        prefix_cache_tokens=entry.prefix_cache_tokens,
        speculative_tokens=entry.speculative_tokens,
        max_waiting=entry.max_waiting,
        threads=entry.threads,
        split_attention=entry.split_attention,
        name=name,
        kernels_dir=kernels_dir,
    )
