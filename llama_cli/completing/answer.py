"""Answers a shell that asks how a command line can go on: `llama __complete SHELL ...`, as our scripts call it.

Bash and PowerShell give the line up to the cursor, and Bash its word breaks; zsh and fish give the words after `llama`,
the one at the cursor last. The answer is a candidate a line, `value<TAB>what it is`; `:files` and `:folders` leave that
to the shell. Imports no Typer, and of the rest only what a kind of values needs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

from llama_cli.completing.tree import Node, Taken, tree

_MOST = 70
"""Characters of a description."""


def main(arguments: Sequence[str]) -> None:
    """Print the answer. arguments: the shell, then what it gives."""
    shell, *given = arguments or [""]
    gives_line = shell in ("bash", "powershell")
    words = (_split("".join(given[:1]))[1:] if gives_line else given) or [""]
    cut = _last_break(words[-1], given[1]) if shell == "bash" and len(given) > 1 else 0
    lines = []
    for value, what in candidates(tree(), words):
        if value in (":files", ":folders"):
            lines.append(value)
        elif shell == "bash":
            lines.append(value[cut:])
        else:
            lines.append(f"{value}\t{' '.join(what.split())[:_MOST]}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))


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
        for option in node["options"]:
            if option["is_many"] or not used & set(option["names"]):
                names = option["names"] if current != "--" else [each for each in option["names"] if each[:2] == "--"]
                yield from ((each, option["help"]) for each in names if each.startswith(current))
    elif node["commands"]:
        yield from _fitting({name: child["help"] for name, child in node["commands"].items()}, current)
    elif node["arguments"]:
        last = node["arguments"][-1]
        if place < len(node["arguments"]) or last["is_many"]:
            argument = node["arguments"][place] if place < len(node["arguments"]) else last
            yield from _values(argument, root, current, before)


def _walked(root: Node, words: Sequence[str]) -> tuple[Node, set[str], int, Taken | None, bool]:
    """Where these words lead: the command, its options that are used, how many arguments, the option that waits for a
    value, and whether `--` has ended the options.
    """
    node, used, place, is_over = root, set[str](), 0, False
    awaited: Taken | None = None
    for word in words:
        if awaited is not None:
            awaited = None
        elif word == "--" and not is_over:
            is_over = True
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


def _option(node: Node, name: str) -> Taken | None:
    return next((option for option in node["options"] if name in option["names"]), None)


def _values(taken: Taken, root: Node, begun: str, before: Sequence[str]) -> Iterator[tuple[str, str]]:
    from llama_cli.completing.values import FINDERS

    yield from _fitting(dict.fromkeys(taken["choices"], ""), begun)
    for kind in taken["kinds"]:
        if kind in ("files", "folders"):
            yield (f":{kind}", "")
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


def _split(line: str) -> list[str]:
    """The words of a line that may end within a quote; the last is empty after a blank."""
    words, word, quote, is_word, is_escaped = [], "", "", False, False
    for character in line:
        if is_escaped:
            word, is_escaped = word + character, False
        elif character == "\\" and quote != "'":
            is_escaped = is_word = True
        elif quote:
            word, quote = (word, "") if character == quote else (word + character, quote)
        elif character in "\"'":
            quote, is_word = character, True
        elif character.isspace():
            if is_word:
                words.append(word)
            word, is_word = "", False
        else:
            word, is_word = word + character, True
    return [*words, word]


def _last_break(word: str, breaks: str) -> int:
    """How much of a word Bash keeps: up to the last character that breaks words for it, as `:` and `=` do."""
    return max(
        (place + 1 for place, character in enumerate(word) if character in breaks and character in ":=,@"), default=0
    )
