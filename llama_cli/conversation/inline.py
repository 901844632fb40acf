"""What is bold, italic, code or a link within one line of Markdown (CommonMark), as styled text."""

from __future__ import annotations

from functools import cache

from markdown_it import MarkdownIt
from rich.text import Text

_STYLES = {"strong": "bold", "em": "italic", "s": "strike", "link": "underline"}
_CODE = "cyan"


@cache
def _parser() -> MarkdownIt:
    # HTML and entities stay as they were written: a terminal shows no HTML, and `&lt;b&gt;` may be what is meant.
    return MarkdownIt("commonmark").enable("strikethrough").disable(["html_inline", "entity", "autolink", "image"])


def styled(line: str, style: str = "") -> Text:
    """A line, its marks gone and its text styled; a link's address follows it. style: of all of it."""
    text = Text(style=style)
    # Blanks at either end mean nothing to Markdown, and much to a line that is still being written.
    body = line.rstrip(" ")
    tokens = _parser().parseInline(body)[0].children or []
    open_styles: list[str] = []
    addresses: list[tuple[str, int]] = []
    for token in tokens:
        name = token.type.removesuffix("_open").removesuffix("_close")
        if token.type.endswith("_open"):
            open_styles.append(_STYLES.get(name, ""))
            if name == "link":
                addresses.append((str(token.attrs.get("href", "")), len(text)))
        elif token.type.endswith("_close"):
            open_styles.pop()
            if name == "link":
                address, start = addresses.pop()
                if address and address != text.plain[start:]:
                    text.append(f" ({address})", style="dim")
        elif token.type in ("softbreak", "hardbreak"):
            text.append(" ")
        else:
            of_code = [_CODE] if token.type == "code_inline" else []
            text.append(token.content, style=" ".join(filter(None, [*open_styles, *of_code])))
    text.append(line[len(body) :])
    return text
