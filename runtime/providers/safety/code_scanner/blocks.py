"""The code in a message: fenced blocks of Markdown, or the whole text. Knows no languages' grammar.

https://spec.commonmark.org/0.31.2/#fenced-code-blocks: a fence that is not closed goes on to the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import dedent

_FENCE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^\n]*)\n?(?P<code>.*?)(?:^ {0,3}(?P=fence)[`~]*[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
_SIGNS = re.compile(r"[(=:]|\b(?:import|assert)\b")
"""Python that has none of these does nothing; most prose neither, and needs no scan."""
_PYTHON = frozenset({"python", "python3", "py", "py3", "ipython", "ipython3", "pyi"})
_NO_CODE = frozenset(
    {"text", "txt", "plain", "plaintext", "output", "log", "json", "jsonl", "yaml", "yml", "toml", "ini", "csv", "tsv"}
    | {"xml", "html", "css", "markdown", "md", "latex", "tex", "math", "diff", "patch", "mermaid", "svg"}
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """language: as the fence says, in lower case; empty where nothing does. first_line: of the code in the text, from
    1. is_whole_text: whether it may be no code at all.
    """

    code: str
    language: str = ""
    first_line: int = 1
    is_whole_text: bool = False

    @property
    def may_be_python(self) -> bool:
        return self.language in _PYTHON or not self.language

    @property
    def is_code(self) -> bool:
        """Whether it says that it is, in some language."""
        return bool(self.language) and self.language not in _NO_CODE


def blocks_in(text: str) -> list[Block]:
    """In their order, without empty ones; the text itself where it has no fences."""
    found, line, counted = list[Block](), 1, 0
    for match in _FENCE.finditer(text):
        line += text.count("\n", counted, counted := match.start("code"))
        language = (match["info"].split() or [""])[0].strip("{}.,").lower()
        found.append(Block(code=match["code"], language=language, first_line=line))
    if not found and _SIGNS.search(text):
        found = [Block(code=dedent(text), is_whole_text=True)]
    return [block for block in found if block.code.strip()]
