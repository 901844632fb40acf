"""What a user means by `DISTRO|NAME|FILE`: which file to read, or which template.

Knows places and names; not what a file contains.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runtime.config import home, template
from runtime.config.text import STDIN, is_stream
from runtime.errors import NotFound
from runtime.similar import did_you_mean


def resolve_config(argument: str, env: Mapping[str, str] | None = None) -> Path | str:
    """What a `DISTRO|NAME|FILE` argument means: the path of an existing file, or the name of a template.

    Looked up in this order: an existing file, also one that can be read only once (`text.is_stream`); a template; a
    distribution that we or llama-stack built under that name, by the run.yaml in its folder or the user's file that it
    was built from. Raises NotFound with what there is and similar names, or with that file if it no longer exists.
    """
    given = home.expanded(argument)
    if argument != STDIN and str(given) == STDIN:
        given = given.absolute()
    if is_stream(str(given)) or _is_file(given):
        return given
    templates = template.template_names()
    if argument in templates:
        return argument
    folder = home.distributions_dir(env)
    if home.is_distribution_name(argument):
        places = [
            folder / f"llamastack-{argument}" / f"{argument}-run.yaml",
            folder / argument / "run.yaml",
            folder / argument / f"{argument}-run.yaml",
        ]
        found = next((place for place in places if place.is_file()), None)
        if found:
            return found
        source = home.config_of(folder / argument)
        if source is not None:
            return _still_there(source, argument)
    if argument and _is_folder(given):
        inside = " or ".join(f"`{path}`" for path in sorted(given.glob("*.y*ml"))[:3])
        raise NotFound(
            f"`{argument}` is a folder, not a file, a template or a built distribution",
            hint=f"name a file in it, such as {inside}" if inside else "no YAML file is in it",
            code="config_not_found",
        )
    raise NotFound(
        f"`{argument}` is not a file, a template or a built distribution",
        hint=_what_there_is(given, templates, folder),
        code="config_not_found",
    )


def _still_there(source: Path, name: str) -> Path:
    if _is_file(source):
        return source
    raise NotFound(
        f"`{name}` was built from `{source}`, and that file is gone",
        hint="put it back, or build from another: `llama stack build --config FILE`",
        code="config_not_found",
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return len(path.parts) > 1  # the user means a file: reading it will report the missing permission
    except (OSError, ValueError):  # a name that is not valid for a file: too long, or with a null character
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _what_there_is(given: Path, templates: list[str], folder: Path) -> str:
    built = sorted(entry.name.removeprefix("llamastack-") for entry in folder.iterdir()) if folder.is_dir() else []
    parent = given.parent
    beside = sorted(entry.name for entry in parent.glob("*.y*ml")) if parent.is_dir() else []
    close = did_you_mean(given.name, [*dict.fromkeys([*templates, *built, *beside])])
    is_path = len(given.parts) > 1 or given.suffix
    also = f"looked at {given}" if is_path else "`llama stack list` shows also what is built"
    known = f"templates: {', '.join(templates) or 'none'}; {also}"
    return f"{close} {known}" if close else known
