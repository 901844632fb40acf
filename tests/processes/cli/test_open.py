"""`llama open`: which address, and when a browser is told to show it."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path

import pytest

from tests.support.command_runner import Cli
from tests.support.schemas import conform
from tests.support.small_server import SmallHandler, running, url_of


class Handler(SmallHandler):
    def do_GET(self) -> None:
        self.answer(b"", status=200 if self.path == "/behind/docs" else 404)


@pytest.fixture
def url() -> Iterator[str]:
    with running(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"{url_of(server)}/behind"


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that stands for a browser: it notes what it is told to show."""
    import webbrowser

    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr(webbrowser, "_browsers", {})
    shown, program = tmp_path / "shown", tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {shown}\n')
    program.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{program} %s")
    return shown


def test_the_page_is_shown_in_the_browser(url: str, browser: Path, cli: Cli) -> None:
    result = cli("open", "docs", "--url", f"{url}/v1", "--json")
    conform(result.json(), "open")
    assert result.json() == {"url": f"{url}/docs", "opened": True}
    assert browser.read_text() == f"{url}/docs\n"


@pytest.mark.parametrize("how", ["--print", "no display", "CI"])
def test_the_address_alone_is_printed(
    how: str, url: str, browser: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "CI":
        monkeypatch.setenv("CI", "1")
    if how == "no display":
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("sys.platform", "linux")
    result = cli("open", "--url", url, *(["--print"] if how == "--print" else []))
    assert (result.code, result.out) == (0, f"{url}/docs\n")
    assert not browser.exists()


def test_a_server_without_the_page_is_no_success(url: str, browser: Path, cli: Cli) -> None:
    assert cli("open", "--url", url.removesuffix("/behind")).code == 1
    assert not browser.exists()


def test_an_unknown_page_names_the_nearest(cli: Cli) -> None:
    result = cli("open", "starter", "dosc")
    assert (result.code, result.out) == (2, "")
    assert "did you mean `docs`" in result.err
