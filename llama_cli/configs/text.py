"""The text of a run config that a user names, as it stands, right or wrong: a template's, a distribution's, a file's.

Knows where it comes from and under which name messages speak of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llama_cli.packages.run_yaml import will_hold
from llama_cli.packages.source import Choice, locate
from llama_cli.terminal import console
from runtime.config.document import Node
from runtime.config.loading import read_tree
from runtime.config.lookup import resolve_config
from runtime.config.older.build_config import is_build_config
from runtime.config.reading import Reading
from runtime.config.text import read_text, shown


@dataclass(frozen=True, kw_only=True)
class ConfigText:
    """shown: the file, or what the user named where there is none. template: which, where it is one's. made_of: what
    the text was rendered from, so that its lines are those of no file; None where they are those of `shown`.
    """

    shown: str
    text: str
    template: str | None = None
    made_of: str | None = None


def config_text(target: str, environment: Mapping[str, str]) -> ConfigText:
    """The run config that `DISTRO|NAME|FILE` means. Raises NotFound, and what reading a file raises."""
    found = resolve_config(target, environment)
    if isinstance(found, str):
        source = locate(Choice(target=found), environment)
        return ConfigText(shown=source.shown, text=will_hold(source), template=found, made_of=source.made_of)
    text = read_text(found, what="run config")
    if is_build_config(text):
        source = locate(Choice(target=target, text=text), environment)
        return ConfigText(shown=source.origin, text=source.text or "", made_of=source.origin)
    return ConfigText(shown=shown(found), text=text)


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
