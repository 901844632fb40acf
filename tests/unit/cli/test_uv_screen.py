"""What uv draws, byte for byte as uv 0.13 does it on a pseudo-terminal of 200 columns, read as steps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llama_cli.packages.uv_screen import UvScreen
from llama_cli.terminal.progress import Display, Step

CLEAR = "\r\x1b[2K"


def picture(prepared: str, *bars: str, lines: int = 0) -> str:
    """A picture after one of so many lines, each padded to the width: there are no ends of lines."""
    up = f"\x1b[{lines}A{CLEAR}" + f"\x1b[1B{CLEAR}" * lines + f"\x1b[{lines}A" if lines else CLEAR
    return up + f"\x1b[37m⠙\x1b[0m \x1b[2mPreparing packages...\x1b[0m ({prepared})".ljust(200) + "".join(bars)


def bar(name: str, amounts: str) -> str:
    done = "-" * 12
    return f"\x1b[2m{name:20}\x1b[0m \x1b[32m{done}\x1b[30m\x1b[2m{done}\x1b[0m\x1b[0m {amounts}".ljust(200)


class Screened:
    def __init__(self, sizes: dict[str, int] | None = None) -> None:
        self.display = Display()
        self.screen = UvScreen(self.display, "installing", sizes)

    def __call__(self, text: str) -> Step:
        self.screen.feed(text.encode())
        [step] = self.display._steps
        return step


@pytest.fixture
def uv() -> Iterator[Screened]:
    yield Screened()


def shown(step: Step) -> tuple[str, float, float | None, str]:
    return step.what, step.done, step.total, step.detail


def test_resolving_names_what_is_in_hand(uv: Screened) -> None:
    uv(f"\x1b[37m⠋\x1b[0m \x1b[2mResolving dependencies...{CLEAR}\x1b[37m⠙\x1b[0m \x1b[2mnumpy==2.3.0\x1b[0m{CLEAR}")
    step = uv(f"\x1b[37m⠙\x1b[0m \x1b[2mnext==1{CLEAR}")
    assert shown(step) == ("installing", 0.0, None, "next==1")


def test_downloads_are_summed_up_and_stay_counted_when_they_are_through(uv: Screened) -> None:
    uv("Using Python 3.11.7 environment at: v1\n" + picture("0/0") + picture("0/3"))
    uv(picture("0/3", bar("h11", "    0 B/36.00 KiB")))
    step = uv(picture("0/3", bar("h11", "16.00 KiB/36.00 KiB"), bar("numpy", "1.50 MiB/16.00 MiB"), lines=1) + CLEAR)
    assert shown(step) == ("downloading packages", 16 * 1024 + 1.5 * 1024**2, 36 * 1024 + 16 * 1024**2, "numpy")
    step = uv(picture("1/3", bar("numpy", "15.00 MiB/16.00 MiB"), lines=2) + CLEAR)
    assert step.done == 36 * 1024 + 15 * 1024**2
    step = uv(picture("2/3", lines=1) + CLEAR)
    assert (step.done, step.unit) == (step.total, "bytes")


def test_what_is_known_to_come_is_the_whole() -> None:
    uv = Screened({"numpy": 17_000_000, "h11": 37_000})
    assert shown(uv(picture("0/2") + CLEAR)) == ("downloading packages", 0, 17_037_000, "")
    assert uv(picture("0/2", bar("h11", "16.00 KiB/36.00 KiB")) + CLEAR).total == 17_037_000


def test_what_is_only_unpacked_is_counted_in_packages(uv: Screened) -> None:
    assert shown(uv(picture("1/3") + CLEAR)) == ("preparing packages", 1, 3, "")


def test_installing_is_a_step_of_its_own(uv: Screened) -> None:
    uv(picture("3/3", bar("h11", "1.00 KiB/1.00 KiB")) + CLEAR)
    uv("Prepared 3 packages in 660ms\n")
    uv("░░░░ [0/0] \x1b[2mInstalling wheels...\x1b[0m" + CLEAR)
    step = uv("░░░░ [2/3] \x1b[2mnumpy==2.3.0\x1b[0m" + CLEAR)
    assert shown(step) == ("installing packages", 2, 3, "numpy==2.3.0")
    assert set(uv.display.seconds) == {"installing", "downloading packages"}


def test_half_a_picture_waits_for_its_other_half(uv: Screened) -> None:
    whole = picture("0/1", bar("numpy", "4.00 MiB/16.00 MiB")) + CLEAR
    for character in picture("0/1", bar("numpy", "2.00 MiB/16.00 MiB")) + whole[:-1]:
        uv(character)
    assert uv(whole[-1]).done == 4 * 1024**2


def test_what_was_drawn_over_is_no_text_and_what_stays_is(uv: Screened) -> None:
    uv("Using Python 3.11.7 environment at: v1\n")
    for number in range(3):
        uv(picture(f"{number}/3", bar("numpy", f"{number}.00 MiB/16.00 MiB"), lines=1))
    uv(
        f"{CLEAR}\x1b[2mPrepared \x1b[1m3 packages\x1b[0m \x1b[2min 660ms\x1b[0m\x1b[0m\n"
        " \x1b[32m+\x1b[39m numpy==2.3.0\n"
    )
    uv("error: no end of line")
    assert uv.screen.text() == (
        "Using Python 3.11.7 environment at: v1\nPrepared 3 packages in 660ms\n + numpy==2.3.0\nerror: no end of line"
    )


def test_what_is_kept_of_a_long_run_is_bounded(uv: Screened) -> None:
    for number in range(300):
        uv(picture(f"{number}/300", *[bar(f"p{place}", f"{number}.00 KiB/1.00 MiB") for place in range(50)], lines=50))
    assert len(uv.screen._drawn) < 20_000


def test_without_a_terminal_its_words_are_shown_without_passwords(uv: Screened) -> None:
    step = uv("Resolved 3 packages in 1ms\nDownloading https://me:secret@a.example/torch (780.1MiB)\n")
    assert step.detail == "Downloading https://********@a.example/torch (780.1MiB)"
