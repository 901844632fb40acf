"""One configuration file while it is being read: its tree, the variables, and the problems and warnings so far.

Knows how to add a problem and when a value is empty; not what any key means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runtime import discovery
from runtime.config import substitution
from runtime.config.document import Node
from runtime.config.external import External
from runtime.config.substitution import Use
from runtime.discovery import World
from runtime.errors import Problem

DISABLED = "__disabled__"


def as_warning(noted: Problem) -> str:
    """What was noted, in words that say where: in the run config, or in another file, which is named."""
    place = f" (line {noted.line})" if noted.line else ""
    return f"`{noted.path or noted.file}`{place}: {noted.message}{f' ({noted.hint})' if noted.hint else ''}"


@dataclass(kw_only=True)
class Reading:
    """One file while it is being read. to_build: the config is for a build, not for a server. noted: what is read under
    an older name or has no effect; it is said, and no problem. external: what it names from outside this package;
    world: the APIs and providers that exist for it.
    """

    root: Node
    env: Mapping[str, str]
    file: str | None
    problems: list[Problem]
    to_build: bool = False
    noted: list[Problem] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    external: External = field(default_factory=External)
    world: World = field(default_factory=lambda: discovery.built_in())

    @property
    def top(self) -> dict[str, Node]:
        """The mapping at the top of the file; callers change it in place."""
        return self.root.mapping if self.root.mapping is not None else {}

    def problem(self, message: str, node: Node, *, hint: str | None = None, path: str | None = None) -> None:
        where = node.path if path is None else path
        self.problems.append(Problem(message=message, path=where, file=self.file, line=node.line, hint=hint))

    def warn(self, message: str, node: Node) -> None:
        self.noted.append(Problem(message=message, path=node.path, file=self.file, line=node.line))

    def substituted(self, node: Node | None) -> substitution.Substituted | None:
        """A string node after substitution, None for anything else. Adds no problems and no uses."""
        if node is None or not isinstance(node.value, str):
            return None
        return substitution.substitute(node.value, self.env)

    def is_empty(self, node: Node | None) -> bool:
        """Whether a value is null, or a string that is empty after substitution."""
        if node is None or node.value is None:
            return True
        result = self.substituted(node)
        return result is not None and result.is_empty

    def is_off(self, node: Node | None) -> bool:
        result = self.substituted(node)
        return self.is_empty(node) or (result is not None and result.text == DISABLED)
