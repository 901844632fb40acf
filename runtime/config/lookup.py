"""What a user means by `DISTRO|NAME|FILE`: which file is to be read, or which template.

Knows places and names; not what stands in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runtime.config import home, template
from runtime.config.text import STDIN, is_stream
from runtime.errors import NotFound, did_you_mean


def resolve_config(argument: str, env: Mapping[str, str] | None = None) -> Path | str:
    """What a `DISTRO|NAME|FILE` argument means: the path of an existing file, or the name of a template.

    An existing file comes first, also one that can be read once only (`text.is_stream`), then a template, then
    distributions that were built under that name, by us or by llama-stack: the run.yaml in their folder, else the
    user's file that they were built from. Raises NotFound with the places tried and close names, or with the file where
    that is gone.
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
    places = [given]
    if home.is_distribution_name(argument):
        places += [
            folder / f"llamastack-{argument}" / f"{argument}-run.yaml",
            folder / argument / "run.yaml",
            folder / argument / f"{argument}-run.yaml",
        ]
        found = next((place for place in places[1:] if place.is_file()), None)
        if found:
            return found
        source = home.config_of(folder / argument)
        if source is not None:
            return _still_there(source, argument)
    if argument and _is_folder(given):
        inside = " or ".join(f"`{path}`" for path in sorted(given.glob("*.y*ml"))[:3])
        raise NotFound(
            f"`{argument}` is a folder, and no template and no distribution that was built",
            hint=f"name a file in it, such as {inside}" if inside else "no YAML file is in it",
            code="config_not_found",
        )
    raise NotFound(
        f"`{argument}` is no file, no template and no distribution that was built",
        hint=_where_to_look(argument, places, templates, folder),
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
        return len(path.parts) > 1  # somebody means a file: whoever reads it will say that it is not allowed
    except (OSError, ValueError):  # a name that no file can have: too long, or with a null character
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _where_to_look(argument: str, places: list[Path], templates: list[str], folder: Path) -> str:
    built = sorted(entry.name.removeprefix("llamastack-") for entry in folder.iterdir()) if folder.is_dir() else []
    parent = places[0].parent
    beside = sorted(entry.name for entry in parent.glob("*.y*ml")) if parent.is_dir() else []
    close = did_you_mean(places[0].name, [*dict.fromkeys([*templates, *built, *beside])])
    looked = f"templates: {', '.join(templates) or 'none'}; looked at {', '.join(str(place) for place in places)}"
    return f"{close} {looked}" if close else looked
