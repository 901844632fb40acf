"""The files of a new package, and writing them: all of them or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from llama_cli.exits import ExitCode, Failure
from llama_cli.scaffold import toolchain
from llama_cli.scaffold.kits import FOLDER, Kit
from llama_cli.scaffold.names import Names
from runtime.config.template import find_templates_dir
from runtime.spec import INTERFACE

VERSION = "0.1.0"
"""Of the new package."""
_SHARED = {
    "pyproject.toml": "pyproject.toml.j2",
    "README.md": "README.md.j2",
    "run.yaml": "run.yaml.j2",
    ".gitignore": "gitignore.j2",
}


def files_of(kit: Kit, names: Names, provider_type: str) -> dict[str, str]:
    """Path in the new package -> content, sorted."""
    import jinja2  # not above: help and listings render nothing

    templates = find_templates_dir() / FOLDER
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # Python, TOML and YAML, not HTML
    )
    facts = {
        "name": names.project,
        "package": names.package,
        "class_name": names.class_name,
        "variable": names.variable,
        "type_name": names.project,
        "provider_type": provider_type,
        "api": kit.api,
        "kind": kit.kind,
        "summary": kit.summary,
        "packages": kit.packages,
        "address": kit.has_address,
        "version": VERSION,
        "interface": INTERFACE,
        "toolchain": toolchain.requirement(),
    }
    source = f"src/{names.package}"
    wanted = dict(_SHARED) | {f"{source}/__init__.py": "package.py.j2"}
    for template in sorted(kit.folder.glob("*.py.j2")):
        name = template.name.removesuffix(".j2")
        place = "tests" if name.startswith("test_") else source
        wanted[f"{place}/{name}"] = template.relative_to(templates).as_posix()
    return {place: environment.get_template(wanted[place]).render(facts) for place in sorted(wanted)}


def check_free(folder: Path, given: str) -> None:
    """Raises Failure (CONFLICT) for a folder with something in it, or what is no folder."""
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.is_dir() or folder.is_symlink() or folder.exists():
        what = f"the folder `{given}` is not empty" if folder.is_dir() else f"`{given}` is there already, and no folder"
        raise Failure(what, hint="`--directory DIR` writes into another", code=ExitCode.CONFLICT)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Make a folder with these files, and those above it that are missing; an interruption leaves nothing of it. Raises
    OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for place, content in files.items():
            file = made / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8", newline="\n")
        made.chmod(0o777 & ~_umask())
        if folder.is_dir():
            folder.rmdir()  # it is empty
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
