"""What a distribution's providers ask for, as requirements that uv takes. Knows words, no index and no lock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runtime.config.requirement import HINT, Requirement
from runtime.errors import ConfigInvalid, Problem
from runtime.redaction import redact_text


def without_passwords(packages: Iterable[str]) -> list[str]:
    """Requirements for people: an address that a package comes from is shown without what may be a key."""
    return list(map(redact_text, packages))


@dataclass(frozen=True, kw_only=True)
class Requirements:
    """main: requirements that bring what they depend on. alone: those taken without it."""

    main: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()

    @classmethod
    def parse(cls, packages: Iterable[str]) -> Requirements:
        """From the words of provider specs and run configs. Sorted, each once; main wins over alone.

        Raises ConfigInvalid with every one that is not a requirement.
        """
        found: list[Requirement] = []
        problems = []
        for package in packages:
            try:
                found.append(Requirement.parse(package))
            except ValueError:
                problems.append(Problem(message=f"`{redact_text(package)}` is not a requirement", hint=HINT))
        if problems:
            raise ConfigInvalid(problems, what="list of packages")
        named = {one.name for one in found if not one.is_alone}
        main = {one.text for one in found if not one.is_alone}
        alone = {one.text for one in found if one.is_alone and one.name not in named}
        return cls(main=tuple(sorted(main)), alone=tuple(sorted(alone)))
