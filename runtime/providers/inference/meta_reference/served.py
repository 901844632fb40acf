"""From the settings of the provider to the models that it serves: their names, weights and sampling defaults.

Weights that are not there are no reason to serve none of the others: they are looked for again when the model is asked
for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runtime.engine.options import EngineOptions
from runtime.engine.waiting_room import WaitingRoom, early_room
from runtime.errors import Unavailable
from runtime.providers.inference._pool_members import Member
from runtime.providers.inference.meta_reference.config import MetaReferenceConfig, ModelEntry
from runtime.providers.inference.meta_reference.defaults import SamplingDefaults, sampling_defaults
from runtime.providers.inference.meta_reference.runner import EngineRunner
from runtime.providers.inference.meta_reference.weights import find_weights


@dataclass(kw_only=True)
class Served:
    """One model. path, defaults: of its weights; None and OpenAI's while they are not there. early: room for requests
    that come before it is loaded. kernels_dir: where compiled kernels are kept.
    """

    name: str
    entry: ModelEntry
    models_dir: Path | None
    early: WaitingRoom
    path: Path | None = None
    defaults: SamplingDefaults = field(default_factory=SamplingDefaults)
    kernels_dir: Path | None = None

    def member(self) -> Member[EngineRunner]:
        entry = self.entry
        return Member(
            name=self.name,
            make=self.runner,
            keep_alive_s=entry.keep_alive_s,
            is_pinned=entry.pinned,
            preloads=bool(entry.preload),
            load_timeout_s=entry.load_timeout_s,
        )

    def runner(self) -> EngineRunner:
        """Raises Unavailable where its weights are still not there."""
        path = self.path
        if path is None:
            path = find_weights(self.entry.model, self.entry.checkpoint_dir, self.models_dir)[1]
            self.found(path)
        return EngineRunner(self.options(path))

    def found(self, path: Path) -> None:
        self.path, self.defaults = path, sampling_defaults(self.name, path)

    def options(self, path: Path) -> EngineOptions:
        """Raises RequestError for impossible numbers."""
        entry = self.entry
        return EngineOptions(
            model=path,
            device=entry.device,
            dtype=entry.dtype,
            max_batch_size=entry.max_batch_size,
            max_context_tokens=entry.max_seq_len,
            kv_cache_bytes=entry.kv_cache_bytes,
            prefill_chunk_tokens=entry.prefill_chunk_tokens,
            prefix_cache_tokens=entry.prefix_cache_tokens,
            max_waiting=entry.max_waiting,
            threads=entry.threads,
            name=self.name,
            kernels_dir=self.kernels_dir,
        )


def served_models(
    config: MetaReferenceConfig, models_dir: Path | None, kernels_dir: Path | None = None
) -> dict[str, Served]:
    """The models of a config by their names, in its order.

    Raises Unavailable where the only model is not there, and where two models have one name.
    """
    entries = config.entries()
    found: dict[str, Served] = {}
    for entry in entries:
        one = _served(entry, models_dir, is_only=len(entries) == 1)
        one.kernels_dir = kernels_dir
        if one.name in found and found[one.name].path != one.path:
            raise Unavailable(
                f"Two models are called `{one.name}`: {found[one.name].path} and {one.path}",
                hint="give one of them another name: `model` is the name where `checkpoint_dir` is the path",
                code="model_name_repeated",
            )
        found[one.name] = one
    return found


def _served(entry: ModelEntry, models_dir: Path | None, *, is_only: bool) -> Served:
    """Raises Unavailable where it is the only model and not there, RequestError for impossible numbers."""
    path: Path | None
    try:
        name, path = find_weights(entry.model, entry.checkpoint_dir, models_dir)
    except Unavailable:
        if is_only:
            raise
        name, path = _name_of(entry), None
    early = early_room(name, entry.max_waiting, unit="answers")
    served = Served(name=name, entry=entry, models_dir=models_dir, early=early)
    served.options(path or Path(name))
    if path is not None:
        served.found(path)
    return served


def _name_of(entry: ModelEntry) -> str:
    """The name of a model whose weights are not there: as it would be with them, but for a Hugging Face cache."""
    is_path = entry.checkpoint_dir is None and entry.model.startswith(("/", "~", "."))
    return Path(entry.model).name.removesuffix(".gguf") if is_path else entry.model
