"""Open a server's documentation in the browser."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, ServerName, Url, one_server
from llama_cli.terminal import console

_PAGES = {"docs": "/docs"}
"""What can be opened, and where it is."""


def command(
    name: ServerName = None,
    page: Annotated[str | None, typer.Argument(help="What to open: docs, unless given.")] = None,
    url: Url = None,
    print_: Annotated[bool, typer.Option("--print", help="Print the address and open nothing.")] = False,
    json: Json = False,
) -> None:
    """Open a server's documentation in the browser: every route that it has, to read and to try.

    Without a display, the address is all that is printed.

    Examples:
      llama open
      llama open starter docs
      llama open --print
    """
    from llama_cli.asking import ask
    from llama_cli.asking.address import address_of
    from llama_cli.asking.reach import way_to
    from runtime.similar import names_for

    name, page = (None, name) if page is None and name in _PAGES else (name, page or "docs")
    if page not in _PAGES:
        raise Failure(f"there is no page `{page}`", hint=names_for(page, _PAGES), code=ExitCode.USAGE)
    address = address_of(one_server(name, url))
    place = way_to(address).root + _PAGES[page]
    with ask.request(address, _PAGES[page]):
        pass  # it is there
    is_opened = not print_ and _has_display() and _open(place)
    if json:
        console.document({"url": place, "opened": is_opened})
    else:
        console.row(place)
        if not (is_opened or print_):
            console.say("no browser could be opened here; copy the address into yours")


def _has_display() -> bool:
    """Whether a browser can show itself; a remote shell has none, and a console browser would take the terminal."""
    if os.environ.get("CI"):
        return False
    names = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in names)


def _open(place: str) -> bool:
    import webbrowser  # what it imports costs as much as a listing

    try:
        return webbrowser.open(place)
    except (webbrowser.Error, OSError):
        return False
