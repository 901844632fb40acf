"""Answers a shell that asks how a command line can go on: `llama __complete SHELL ...`, as our scripts call it.

Bash and PowerShell give the line up to the cursor, and Bash its word breaks; zsh and fish give the words after `llama`
without their quotes, the one at the cursor last. The answer is a candidate a line, `value<TAB>what it is`; `:files`,
`:folders` and `:programs` leave that to the shell. Values can be a stranger's, such as models that a server has named:
Bash, which puts them into the line as they are, gets them quoted; the others quote them. Imports no Typer, and of the
rest only what a kind of values needs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from llama_cli.completing.tree import Node, Taken, tree

_MOST = 70
"""Characters of a description."""
_SHELLS_OWN = (":files", ":folders", ":programs")
"""What a shell completes itself."""


def main(arguments: Sequence[str]) -> None:
    """Print the answer. arguments: the shell, then what it gives."""
    shell, *given = arguments or [""]
    line = _split(*given[:2]) if shell in ("bash", "powershell") else _Line(given)
    found = list(candidates(tree(), line.words or [""]))
    paths = [value for value, _ in found if value in _SHELLS_OWN]
    # Nobody types what does not print.
    values = [(value, what) for value, what in found if value not in paths and value.isprintable()]
    if shell != "bash":
        lines = [f"{value}\t{' '.join(what.split())[:_MOST]}" for value, what in values]
    elif paths:  # beside which it quotes whatever it gets
        lines = [value[line.kept :] for value, _ in values]
    else:
        lines = [_quoted(value[line.kept :], line.quote) for value, _ in values]
    sys.stdout.write("".join(f"{each}\n" for each in [*lines, *paths]))


def candidates(root: Node, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What the last of the words could become, with what each is. words: those after `llama`, the last one begun."""
    *before, current = words
    node, used, place, awaited, is_over = _walked(root, before)
    name, equals, begun = current.partition("=")
    if awaited is not None:
        yield from _values(awaited, root, current, before)
    elif not is_over and equals and name.startswith("--") and (option := _option(node, name)) is not None:
        for value, what in _values(option, root, begun, before):
            yield (value if value.startswith(":") else f"{name}={value}", what)
    elif not is_over and current.startswith("-"):
        meant = node["commands"][node["default"]]["options"] if node["default"] else node["options"]
        for option in meant:
            if option["is_many"] or not used & set(option["names"]):
                names = option["names"] if current != "--" else [each for each in option["names"] if each[:2] == "--"]
                yield from ((each, option["help"]) for each in names if each.startswith(current))
    elif node["commands"]:
        yield from _fitting({name: child["help"] for name, child in node["commands"].items()}, current)
        if node["default"]:
            yield from _values(node["commands"][node["default"]]["arguments"][0], root, current, before)
    elif node["arguments"]:
        possible = [
            argument for argument in node["arguments"] if argument["is_behind"] == (is_over and _has_dashes(node))
        ]
        if possible and (place < len(possible) or possible[-1]["is_many"]):
            yield from _values(possible[min(place, len(possible) - 1)], root, current, before)


def _walked(root: Node, words: Sequence[str]) -> tuple[Node, set[str], int, Taken | None, bool]:
    """Where these words lead: the command, its options that are used, how many arguments, the option that waits for a
    value, and whether `--` has ended the options.
    """
    node, used, place, is_over = root, set[str](), 0, False
    awaited: Taken | None = None
    for word in words:
        is_own = word in node["commands"] or _option(node, word.partition("=")[0]) is not None
        if awaited is None and node["default"] and not is_own:
            node = node["commands"][node["default"]]
        if awaited is not None:
            awaited = None
        elif word == "--" and not is_over:
            is_over = True
            place = 0 if _has_dashes(node) else place
        elif word.startswith("-") and len(word) > 1 and not is_over:
            name, equals, _ = word.partition("=")
            used.add(name)
            option = _option(node, name)
            if option is not None:
                used.update(() if option["is_many"] else option["names"])
                awaited = None if equals or option["is_flag"] else option
        elif word in node["commands"]:
            node, used, place = node["commands"][word], set(), 0
        else:
            place += 1
    return node, used, place, awaited, is_over


def _has_dashes(node: Node) -> bool:
    """Whether what stands behind `--` is an argument of its own."""
    return any(argument["is_behind"] for argument in node["arguments"])


def _option(node: Node, name: str) -> Taken | None:
    return next((option for option in node["options"] if name in option["names"]), None)


def _values(taken: Taken, root: Node, begun: str, before: Sequence[str]) -> Iterator[tuple[str, str]]:
    from llama_cli.completing.values import FINDERS

    yield from _fitting(dict.fromkeys(taken["choices"], ""), begun)
    for kind in taken["kinds"]:
        if kind in ("files", "folders"):
            yield (f":{kind}", "")
        elif kind == "programs":  # and what that takes, which nobody here knows
            yield (":programs" if before[-1] == "--" else ":files", "")
        elif kind == "commands":
            node = _walked(root, [word for word in before[1:] if not word.startswith("-")])[0]
            yield from _fitting({name: child["help"] for name, child in node["commands"].items()}, begun)
        elif kind in FINDERS:
            # `a=b,c=d`: the last of what is listed is completed.
            listed, comma, last = begun.rpartition(",") if kind == "providers_of_apis" else ("", "", begun)
            for value, what in _fitting(_found(FINDERS[kind]), last):
                yield listed + comma + value, what


def _found(finder: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What there is; nothing where that cannot be read, since nobody reads why between two keys."""
    from runtime.errors import StackError

    try:
        return finder()
    except (OSError, StackError):
        return {}


def _fitting(values: dict[str, str], begun: str) -> Iterator[tuple[str, str]]:
    return ((value, what) for value, what in values.items() if value.startswith(begun))


class _Line(NamedTuple):
    """words: those after `llama`, without quotes. Of the last, which may end within a quote: kept: how much of it Bash
    keeps, up to the last quote or character that breaks words for it; quote: the one that is open.
    """

    words: Sequence[str]
    kept: int = 0
    quote: str = ""


def _split(line: str = "", breaks: str = "") -> _Line:
    """A line from `llama` on; its last word is empty after a blank. breaks: the characters at which Bash breaks words,
    of which `:`, `=`, `,` and `@` stand within what is one word for everybody else.
    """
    words, word, quote, is_word, is_escaped, kept = [], "", "", False, False, 0
    for character in line:
        if is_escaped:
            word, is_escaped = word + character, False
        elif character == "\\" and quote != "'":
            is_escaped = is_word = True
        elif character == quote or (character in "\"'" and not quote):
            quote, is_word, kept = "" if quote else character, True, len(word)
        elif character.isspace() and not quote:
            if is_word:
                words.append(word)
            word, is_word, kept = "", False, 0
        else:
            word, is_word = word + character, True
            if not quote and character in ":=,@" and character in breaks:
                kept = len(word)
    return _Line([*words, word][1:], kept, quote)


def _quoted(value: str, quote: str) -> str:
    """What Bash has to read for that value, behind a quote that is open, if one is."""
    if quote == "'":
        return value.replace("'", "'\\''")
    return re.sub(r'([\\"$`])' if quote else r"([^\w@%+=:,./-])", r"\\\1", value)
