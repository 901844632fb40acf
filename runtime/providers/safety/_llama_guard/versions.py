"""The versions of Llama Guard: what each is called, and what it can be asked about.

Facts from the model cards (https://github.com/meta-llama/PurpleLlama) and from Meta's pages of prompt formats
(https://www.llama.com/docs/model-cards-and-prompt-formats/llama-guard-3/ and `llama-guard-4/`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from runtime.errors import RequestError
from runtime.providers.safety._llama_guard.categories import GENERATION_1, GENERATION_2, GENERATION_3, Category


@dataclass(frozen=True, kw_only=True)
class Version:
    """One of the models. name: what a setting calls it, such as `3-8b`. title: what people do. billions: of parameters.
    most_images: of a prompt; None for any number. text_only: codes of categories that it is not asked about where there
    is an image.
    """

    name: str
    title: str
    generation: int
    billions: int
    categories: tuple[Category, ...]
    most_images: int | None = 0
    text_only: frozenset[str] = frozenset()


_ABUSE_OF_CODE = "S14"
_WITHOUT_IT = tuple(category for category in GENERATION_3 if category.code != _ABUSE_OF_CODE)

VERSIONS = (
    Version(name="1", title="Llama Guard", generation=1, billions=7, categories=GENERATION_1),
    Version(name="2", title="Llama Guard 2", generation=2, billions=8, categories=GENERATION_2),
    Version(name="3-8b", title="Llama Guard 3 8B", generation=3, billions=8, categories=GENERATION_3),
    Version(name="3-1b", title="Llama Guard 3 1B", generation=3, billions=1, categories=_WITHOUT_IT),
    Version(
        name="3-11b-vision",
        title="Llama Guard 3 11B Vision",
        generation=3,
        billions=11,
        categories=_WITHOUT_IT,
        most_images=1,
    ),
    Version(
        name="4",
        title="Llama Guard 4",
        generation=4,
        billions=12,
        categories=GENERATION_3,
        most_images=None,
        text_only=frozenset({_ABUSE_OF_CODE}),
    ),
)
"""The first of a generation is meant by a name without a size: `llama-guard3` is the one with 8B at Ollama too."""
VERSION_NAMES = tuple(version.name for version in VERSIONS)

_named = re.compile(r"llama[^a-z0-9]?guard[^a-z0-9]?(?:v?(\d)(?!\.?\d|b))?(.*)").search
_size = re.compile(r"(?<![a-z0-9.])(\d+)b(?![a-z0-9])").search


def version_named(name: str) -> Version:
    """The version that a setting names. Raises RequestError for a name that is none of `VERSION_NAMES`."""
    for version in VERSIONS:
        if version.name == name.strip().lower():
            return version
    raise RequestError(f"There is no version `{name[:40]}` of Llama Guard", hint=f"there are {_listed(VERSION_NAMES)}")


def version_of(model: str) -> Version:
    """The version that a model's name tells, whoever serves it: `meta-llama/Llama-Guard-3-8B`, `LlamaGuard-7b`,
    `llama-guard3:1b`, `accounts/fireworks/models/llama-guard-3-11b-vision`. Raises RequestError where it tells none.
    """
    found = _named(model.lower())
    generation, size = (found[1], _size(found[2])) if found else (None, None)
    fitting = [
        version
        for version in VERSIONS
        if found
        and (generation is None or version.generation == int(generation))
        and (size is None or version.billions == int(size[1]))
    ]
    if fitting and (len(fitting) == 1 or (generation and not size)):
        return fitting[0]
    raise RequestError(
        f"The name of model `{model[:200]}` does not tell which version of Llama Guard it is",
        hint=f"state the version: {_listed(VERSION_NAMES)}",
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
