"""The text of a run config that a user names, as it stands, right or wrong: a template's, a distribution's, a file's.

Knows where it comes from and under which name messages speak of it. Does not read what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llama_cli.packages.run_yaml import will_hold
from llama_cli.packages.source import Choice, locate
from runtime.config.lookup import resolve_config
from runtime.config.older.build_config import is_build_config
from runtime.config.text import read_text, shown


@dataclass(frozen=True, kw_only=True)
class ConfigText:
    """shown: the file, or what the user named where there is none. template: which, where it is one's."""

    shown: str
    text: str
    template: str | None = None


def config_text(target: str, environment: Mapping[str, str]) -> ConfigText:
    """The run config that `DISTRO|NAME|FILE` means. Raises NotFound, and what reading a file raises."""
    found = resolve_config(target, environment)
    if isinstance(found, str):
        source = locate(Choice(target=found), environment)
        return ConfigText(shown=source.shown, text=will_hold(source), template=found)
    text = read_text(found, what="run config")
    if is_build_config(text):
        source = locate(Choice(target=target, text=text), environment)
        return ConfigText(shown=source.origin, text=source.text or "")
    return ConfigText(shown=shown(found), text=text)
