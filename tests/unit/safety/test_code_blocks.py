"""The code in a message."""

from __future__ import annotations

import pytest

from runtime.providers.safety.code_scanner.blocks import Block, blocks_in


def test_a_text_without_fences_may_be_code_itself() -> None:
    assert blocks_in("  import os\n  os.abort()") == [Block(code="import os\nos.abort()", is_whole_text=True)]
    assert blocks_in(" \n") == blocks_in("Nothing here is code.") == []


def test_fenced_blocks_are_told_with_their_language_and_line() -> None:
    text = "Here:\n\n```Python title=a.py\nprint(1)\n```\nand\n~~~~\n```\nx\n~~~~\n````js\n`a`\n````"
    assert blocks_in(text) == [
        Block(code="print(1)\n", language="python", first_line=4),
        Block(code="```\nx\n", first_line=8),
        Block(code="`a`\n", language="js", first_line=12),
    ]


def test_a_fence_that_is_not_closed_goes_on_to_the_end() -> None:
    assert blocks_in("```py\na = 1\n\nb = 2") == [Block(code="a = 1\n\nb = 2", language="py", first_line=2)]
    assert blocks_in("```py") == []


@pytest.mark.parametrize(
    ("fence", "may_be_python", "is_code"),
    [("python", True, True), ("", True, False), ("javascript", False, True), ("json", False, False)],
)
def test_a_language_decides_what_is_read(fence: str, may_be_python: bool, is_code: bool) -> None:
    [block] = blocks_in(f"```{fence}\nx\n```")
    assert (block.may_be_python, block.is_code) == (may_be_python, is_code)


def test_many_fences_are_found_at_once() -> None:
    """Each line may begin a block: the time must not grow with its square."""
    assert len(blocks_in("```py\nx\n```\n" * 20_000)) == 20_000
    assert len(blocks_in("`" * 200_000)) == 0
    assert len(blocks_in("~~~\n" + "~~ \n" * 100_000)) == 1
