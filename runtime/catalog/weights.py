"""For providers that run a model in this process: finds its weights, from the name that a user gives. Loads nothing, so
that a run config can be checked for what is not there.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime import catalog
from runtime.catalog.hub_cache import hub_snapshot
from runtime.catalog.on_disk import stored_folder, stored_folders
from runtime.errors import Unavailable
from runtime.similar import did_you_mean


@dataclass(frozen=True)
class Shipped:
    """Weights inside an installed package. path: relative to the package's folder."""

    package: str
    path: str

    def find(self, model: str) -> Path:
        """The path of the weights. The package is not imported, since its own requirements are not installed.

        model: for messages. Raises Unavailable if they are not installed.
        """
        found = importlib.util.find_spec(self.package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            if (path := Path(folder) / self.path).exists():
                return path
        raise Unavailable(
            f"the weights of `{model}` are not installed",
            hint="build the distribution again: `llama stack build`",
            code="weights_not_found",
        )


def find_model(
    model: str,
    shipped: Mapping[str, Shipped],
    *,
    what: str,
    models_dir: Path | None = None,
    may_be_path: bool = True,
) -> tuple[str, Path]:
    """The name under which to serve `model`, and its path. model: one that comes with the distribution, a path, or one
    that was downloaded or imported, by any name of the catalog. models_dir: where those are.

    A path's name is its last part without `.gguf`; in a Hugging Face cache it is the repository's. what: the kinds of
    path that are allowed, for messages. may_be_path: `False` for a name that comes over the network. Raises Unavailable
    if there is no such model.
    """
    if model in shipped:
        return model, shipped[model].find(model)
    path = expand_home(model)
    if not (may_be_path and path.exists()):
        stored = stored_folder(models_dir, model) if models_dir else None
        if stored is None:
            raise _not_here(model, shipped, what if may_be_path else None, models_dir)
        return stored.name, stored
    # Links are not followed: in a Hugging Face cache they lead to a file whose name is a digest.
    path = path.absolute()
    return hub_snapshot(path) or (path.name.removesuffix(".gguf"), path)


def _not_here(model: str, shipped: Mapping[str, Shipped], what: str | None, models_dir: Path | None) -> Unavailable:
    """what: the kinds of path that are allowed; None where none is."""
    known = catalog.find(model)
    if known is not None:
        message, hint = f"`{model}` is not on this disk", f"`llama model download {known.descriptor}`"
    else:
        with_us = "a model that was downloaded"
        if shipped:
            with_us = f"a model that comes with this distribution ({', '.join(shipped)}) or was downloaded"
        ours = [*shipped, *(folder.name for folder in stored_folders(models_dir))] if models_dir else list(shipped)
        message, hint = f"`{model}` is not {with_us}", "`llama model list` shows what can be downloaded"
        if what is not None:
            message, hint = f"`{model}` is neither a path nor {with_us}", f"give the path of {what}"
        hint = did_you_mean(model, ours) or did_you_mean(model, catalog.known_names()) or hint
    return Unavailable(message, hint=hint, code="weights_not_found")


def expand_home(path: str) -> Path:
    """A path from a user, with `~` expanded; it stays for an unknown user (`Path.expanduser` would raise)."""
    return Path(os.path.expanduser(path))  # noqa: PTH111
