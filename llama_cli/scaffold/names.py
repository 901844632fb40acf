"""The names that one name gives: of a package, of what is imported, of a provider's type, of classes and variables."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass

from llama_cli.exits import ExitCode, Failure

_PACKAGE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MOST_CHARACTERS = 60
_OURS = {"runtime", "llama_cli", "tests", "llama_stack", "ogx"}
_HINT = "take letters, digits and single `-`, a letter first, such as `acme-inference`"


@dataclass(frozen=True, kw_only=True)
class Names:
    """project: of the package, as an index has it; package: as Python imports it; class_name, variable: how names of
    its classes and of its environment variables begin.
    """

    project: str
    package: str
    class_name: str
    variable: str


def names_of(given: str) -> Names:
    """Raises Failure: USAGE for what cannot name a package, CONFLICT for a name that Python or this package has."""
    project = re.sub(r"[-_.]+", "-", given).lower()
    package = project.replace("-", "_")
    if not _PACKAGE.fullmatch(project) or not package.isidentifier() or len(project) > _MOST_CHARACTERS:
        raise Failure.of_option("NAME", f"`{given}` cannot name a package", hint=_HINT)
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or package in _OURS:
        message = f"`{package}` means something else to Python, so a package cannot have this name"
        raise Failure(message, hint=f"take another, such as `{project}-provider`", code=ExitCode.CONFLICT)
    words = package.split("_")
    return Names(
        project=project, package=package, class_name="".join(map(str.capitalize, words)), variable=package.upper()
    )
