"""What steers a terminal, by Unicode's own tables, and a pseudo-terminal to see what a command prints there."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple

STEERS = {"Cc", "Zl", "Zp", "Cs"}
"""Controls, separators of lines and of paragraphs, half surrogate pairs."""
TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
"""What embeds, overrides or isolates a direction of writing."""

HOSTILE = "".join(
    [
        "\x1b]0;a title\x07\x1b[2J\x1b[31mred\x1b[0m\x1b[1A",  # a title, a cleared screen, our own colours, a step up
        "\r\x08\x7f\x00\x9b2J\x9d0;t\x9c\x85",  # C0 and C1
        "\u202eexe.\u2066x\u2069\u2028y\u2029z",  # another order, other ends of lines
        "caf\udce9",  # no text at all
    ]
)


def steering(text: str) -> set[str]:
    """The characters of `text` that steer a terminal, other than line feeds and tabs."""
    return {
        character
        for character in set(text) - {"\n", "\t"}
        if unicodedata.category(character) in STEERS or unicodedata.bidirectional(character) in TURNS
    }


class Shown(NamedTuple):
    """What came to a terminal. text: without colours, its ends of lines as line feeds."""

    code: int
    text: str
    has_colors: bool


def on_a_terminal(command: Sequence[str], environment: Mapping[str, str]) -> Shown:
    """Run a command with a pseudo-terminal as its standard output and error, and nothing to read."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=secondary, stderr=secondary, env=dict(environment)
    )
    os.close(secondary)
    shown = b""
    while True:
        try:
            part = os.read(primary, 65536)
        except OSError:  # Linux says so when the other end is closed
            part = b""
        if not part:
            break
        shown += part
    os.close(primary)
    text, colors = re.subn(r"\x1b\[[0-9;]*m", "", shown.decode())
    return Shown(process.wait(), text.replace("\r\n", "\n"), colors > 0)
