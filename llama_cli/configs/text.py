"""The text of a run config that a user names, as it stands, right or wrong: a template's, a distribution's, a file's.

Knows where it comes from and under which name messages speak of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llama_cli.packages.run_yaml import will_hold
from llama_cli.packages.source import Choice, locate
from llama_cli.terminal import console
from runtime.config.document import Node
from runtime.config.home import distribution_dir, is_distribution_name
from runtime.config.loading import read_tree
from runtime.config.lookup import resolve_config
from runtime.config.older.build_config import is_build_config
from runtime.config.reading import Reading
from runtime.config.text import read_text, shown


@dataclass(frozen=True, kw_only=True)
class ConfigText:
    """shown: the file, or what the user named where there is none. template: which, where it is one's. made_of: what
    the text was rendered from, so that its lines are those of no file; None where they are those of `shown`. folder: of
    the distribution that it is one's of, where that is known.
    """

    shown: str
    text: str
    folder: Path | None = None
    template: str | None = None
    made_of: str | None = None


def config_text(target: str, environment: Mapping[str, str]) -> ConfigText:
    """The run config that `DISTRO|NAME|FILE` means. Raises NotFound, and what reading a file raises."""
    found = resolve_config(target, environment)
    if isinstance(found, str):
        source = locate(Choice(target=found), environment)
        text, made_of = will_hold(source), source.made_of
        return ConfigText(shown=source.shown, text=text, folder=source.folder, template=found, made_of=made_of)
    text = read_text(found, what="run config")
    if is_build_config(text):
        source = locate(Choice(target=target, text=text), environment)
        return ConfigText(shown=source.origin, text=source.text or "", made_of=source.origin)
    is_one = is_distribution_name(target)
    return ConfigText(shown=shown(found), text=text, folder=distribution_dir(target, environment) if is_one else None)


def config_tree(target: str, environment: Mapping[str, str]) -> tuple[ConfigText, Reading]:
    """The run config that `DISTRO|NAME|FILE` means, and its tree; what cannot be read in it is said. Raises NotFound,
    and what reading a file raises.
    """
    config = config_text(target, environment)
    reading = read_tree(config.text, file=config.shown, env=environment)
    for problem in reading.problems:
        console.warn(str(problem))
    if config.made_of is not None:
        _forget_lines(reading.root)
    return config, reading


def _forget_lines(node: Node) -> None:
    node.line = None
    for below in node.mapping.values() if node.mapping is not None else node.items or ():
        _forget_lines(below)
