"""The first minutes of a person with a bare clone, typed into a shell on a terminal: what they see, not what was sent.

`--screens DIR` keeps each screen as text, for someone to read.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.screen import CTRL_C, SIZES, Screen
from tests.support.stack_home import TREE, clean_environment, reserved_port, uv_cache

pytestmark = [pytest.mark.e2e, pytest.mark.smollm2, pytest.mark.network_registry]

PROMPT = r"\[(\d+)\] \$ "


def copy_of_the_tree(folder: Path) -> None:
    """A clone, with what is changed here and not committed yet."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(TREE), *arguments], check=True, capture_output=True, text=True).stdout

    subprocess.run(["git", "clone", "--quiet", str(TREE), str(folder)], check=True)
    for name in git("ls-files", "-z", "--modified", "--others", "--exclude-standard").split("\0"):
        if name and (TREE / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((TREE / name).read_bytes())
            (folder / name).chmod((TREE / name).stat().st_mode)
        elif name:
            (folder / name).unlink()


class Person:
    """At a shell on a terminal, in a clone, with an empty home. What uv has downloaded before is at hand."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.code()

    def code(self, *, limit_s: float = 60) -> int:
        """That of the last command, once the shell asks for the next."""
        return int(self.screen.wait_for_line(PROMPT, limit_s=limit_s)[1])

    def runs(self, line: str, name: str, *, code: int = 0, limit_s: float = 60) -> str:
        """Enter a command line, look at its screen when it has ended, and return what it has printed."""
        self.screen.enter(line)
        ended = self.code(limit_s=limit_s)
        shown = self.screen.shot(name)
        assert ended == code, shown
        return self.screen.fresh


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def person(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Person]:
    columns, lines = request.param
    clone = tmp_path / "llama-stack"
    copy_of_the_tree(clone)
    (tmp_path / "me").mkdir()
    with reserved_port() as port:
        environment = clean_environment() | {
            "HOME": str(tmp_path / "me"), "PS1": "[$?] $ ", "UV_CACHE_DIR": str(uv_cache()),
            "LLAMA_STACK_PORT": str(port), "LANG": "C.UTF-8",
        }  # fmt: skip
        kept = request.config.getoption("--screens")
        with Screen(
            ["sh", "-i"], environment, cwd=clone, columns=columns, lines=lines,
            kept=Path(kept).absolute() / f"first-use-{columns}x{lines}" if kept else tmp_path / "screens",
        ) as screen:  # fmt: skip
            yield Person(screen)
        if (llama := clone / ".venv/bin/llama").exists():
            stop = [llama, "stack", "stop", "--all", "--timeout", "5s"]
            subprocess.run(stop, env=environment, check=True, capture_output=True, timeout=60)


def test_from_a_bare_clone_to_the_end(person: Person) -> None:
    screen = person.screen
    screen.enter("./scripts/run")
    screen.wait_for("setting up")
    screen.shot("set up begins")
    screen.wait_for("building|choosing|install|download", limit_s=120)
    screen.shot("build begins")
    screen.wait_for("ready: ", limit_s=240)
    screen.wait_for("Ctrl-C")
    screen.shot("ready in front")
    screen.type(CTRL_C)
    assert person.code() == 130, screen.shot("stopped in front")
    screen.shot("stopped in front")

    person.runs('PATH="$PWD/.venv/bin:$PATH"', "on the path")
    person.runs("llama", "llama alone")
    assert screen.cut() == []
    screen.enter("mkdir mine && cd mine && llama stack init")
    screen.wait_for_line(r"Template \[starter\]: ")
    screen.enter("remot")
    screen.wait_for_line(r"Template \[starter\]: ")
    screen.enter("remote")
    screen.wait_for_line(r"Name \[mine\]: ")
    screen.enter("")
    screen.wait_for_line(r"Port \[8321\]: ")
    screen.shot("init asks")
    screen.enter("")
    assert person.code() == 0, screen.framed("init")
    screen.shot("init")
    person.runs("llama stack validate run.yaml", "validated")
    person.runs("llama stack build --config run.yaml", "built", limit_s=120)
    person.runs("llama stack build --config run.yaml", "built again")
    person.runs("llama stack run starter -d", "ready detached", limit_s=120)
    assert screen.cut() == []
    person.runs("llama stack ps", "ps")
    person.runs("llama stack list", "list")
    person.runs("llama stack status", "status")
    person.runs("llama stack logs --tail 5", "logs")

    screen.enter("llama chat")
    screen.wait_for_line("> ")
    screen.shot("chat begins")
    screen.enter("What is a llama?")
    screen.wait_for_line("> ", limit_s=120)
    screen.shot("chat has answered")
    screen.paste("Write a long story.\nIt has ten chapters.\nIt is about llamas.")
    screen.wait_for(r"about llamas\.$")
    screen.shot("chat with a paste")
    screen.enter("")
    screen.wait_for(r"about llamas\.\n+[A-Z].*\w+ \w+ \w+", limit_s=120)
    screen.type(CTRL_C)
    screen.wait_for_line("> ")
    screen.shot("chat was stopped")
    screen.enter("/exit")
    assert person.code() == 0
    screen.shot("chat ended")

    person.runs("llama stack stop starter", "stopped")
    person.runs("llama stack ps", "ps of nothing")
    screen.enter("llama stack remove mine")
    screen.wait_for_line(r".*\[y/N\] ")
    screen.shot("remove asks")
    screen.enter("y")
    assert person.code() == 0, screen.framed("removed")
    screen.shot("removed")
    person.runs("llama stack list", "list at the end")
    assert re.fullmatch(PROMPT, screen.at_cursor)
