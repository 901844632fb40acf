"""From the entries of a run config to the models of a pool: their names, their weights on disk, and what is known of
them before they are loaded.

Weights that are not there are no reason to serve none of the others: they are looked for again when the model is asked
for. Knows no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from runtime.errors import Unavailable
from runtime.providers.inference._pool_members import Member, Runner


class ServedSettings(Protocol):
    """The settings of one model, all of them given."""

    model: str
    pinned: bool
    preload: bool | None
    load_timeout_s: float
    max_waiting: int

    @property
    def keep_alive_s(self) -> float: ...


E = TypeVar("E", bound=ServedSettings)
F = TypeVar("F")
M = TypeVar("M", bound=Runner)


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[E, F, M]):
    """What the models of a provider have in common.

    find: the name and the path of one; raises Unavailable where it is not there. describe: what is known of it from its
    files, never raising for damaged ones; unknown: the same while there are none. run: makes its runner.
    """

    find: Callable[[E], tuple[str, Path]]
    describe: Callable[[str, Path], F]
    unknown: F
    run: Callable[[str, E, Path], M]


class Served(Generic[E, F, M]):
    """One model. path: None while its weights are not there. facts: what `Kind.describe` says of them."""

    def __init__(self, kind: Kind[E, F, M], entry: E, name: str, path: Path | None) -> None:
        self._kind = kind
        self.entry, self.name = entry, name
        self.path: Path | None = None
        self.facts = kind.unknown
        if path is not None:
            self._found(path)

    def member(self) -> Member[M]:
        entry = self.entry
        return Member(
            name=self.name,
            make=self._runner,
            keep_alive_s=entry.keep_alive_s,
            is_pinned=entry.pinned,
            preloads=bool(entry.preload),
            load_timeout_s=entry.load_timeout_s,
        )

    def _runner(self) -> M:
        """Raises Unavailable where its weights are still not there."""
        return self._kind.run(self.name, self.entry, self.path or self._found(self._kind.find(self.entry)[1]))

    def _found(self, path: Path) -> Path:
        self.path, self.facts = path, self._kind.describe(self.name, path)
        return path


def served_models(kind: Kind[E, F, M], entries: Sequence[E]) -> dict[str, Served[E, F, M]]:
    """The models by their names, in their order; of two entries for one model the later one counts.

    Raises Unavailable where the only model is not there, and where two models have one name.
    """
    served: dict[str, Served[E, F, M]] = {}
    for entry in entries:
        path: Path | None
        try:
            name, path = kind.find(entry)
        except Unavailable:
            if len(entries) == 1:
                raise
            name, path = _name_of(entry.model), None
        if (other := served.get(name)) is not None:
            if other.path != path:
                raise Unavailable(
                    f"Two models are called `{name}`: {other.path} and {path}",
                    hint="give the folder or file of one of them another name",
                    code="model_name_repeated",
                )
            entry.preload = entry.preload or other.entry.preload
        served[name] = Served(kind, entry, name, path)
    return served


def _name_of(model: str) -> str:
    """The name of a model whose weights are not there: as with them, but for those of a Hugging Face cache."""
    return Path(model).name.removesuffix(".gguf") if model.startswith(("/", "~", ".")) else model
