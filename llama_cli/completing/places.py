"""Where each shell looks for completion, and what has to be written there.

fish reads a folder of its own. Bash does where the package bash-completion is installed. Otherwise the script lies with
the user's data and a marked line in the shell's start file reads it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llama_cli.completing.scripts import SCRIPTS
from llama_cli.exits import ExitCode, Failure
from runtime.similar import names_for

_MARK = "# completion of llama"
_BASH_COMPLETION = (
    "/usr/share/bash-completion/bash_completion",
    "/usr/local/share/bash-completion/bash_completion",
    "/opt/homebrew/etc/profile.d/bash_completion.sh",
    "/usr/local/etc/profile.d/bash_completion.sh",
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """script: where the script lies; start_file: the file of the shell that has `line`, where one is needed."""

    shell: str
    script: Path
    start_file: Path | None = None
    line: str = ""

    def wanted(self, *, installed: bool) -> dict[Path, str | None]:
        """What each file should hold; None where it should not be. installed: with completion, or without."""
        files: dict[Path, str | None] = {self.script: SCRIPTS[self.shell] if installed else None}
        if self.start_file is not None:
            text = self.start_file.read_text(encoding="utf-8") if self.start_file.exists() else ""
            kept = "".join(line for line in text.splitlines(keepends=True) if not line.rstrip().endswith(_MARK))
            if installed:
                gap = "" if not kept or kept.endswith("\n") else "\n"
                files[self.start_file] = f"{kept}{gap}{self.line}  {_MARK}\n"
            elif kept != text:
                files[self.start_file] = kept or None
        return files

    def changes(self, *, installed: bool) -> dict[Path, str | None]:
        """Of what is wanted, what is not so yet."""
        return {
            path: text
            for path, text in self.wanted(installed=installed).items()
            if (path.read_text(encoding="utf-8") if path.exists() else None) != text
        }


def shell_of(name: str | None, env: Mapping[str, str]) -> str:
    """The shell that is meant: by name, or else the user's. Raises Failure (USAGE) for one that we do not know."""
    shell = Path(env.get("SHELL", "")).name or ("powershell" if sys.platform == "win32" else "")
    wanted = (shell if name is None else name).lower()
    wanted = {"pwsh": "powershell"}.get(wanted, wanted)
    if wanted in SCRIPTS:
        return wanted
    if name is not None:
        raise Failure(f"there is no completion for `{name}`", hint=names_for(name, SCRIPTS), code=ExitCode.USAGE)
    unknown = f"`{shell}`, your shell, is none that we complete for" if shell else "no variable says your shell"
    raise Failure(unknown, hint=f"name one of {', '.join(SCRIPTS)}", code=ExitCode.USAGE)


def place_of(shell: str, env: Mapping[str, str], *, home: Path | None = None) -> Place:
    """Where a shell looks. home: the user's home folder, where it is another than the system says."""
    home = home or Path(os.path.expanduser("~"))  # noqa: PTH111  # which never raises
    data = Path(env.get("XDG_DATA_HOME") or home / ".local" / "share")
    settings = Path(env.get("XDG_CONFIG_HOME") or home / ".config")
    if shell == "fish":
        return Place(shell=shell, script=settings / "fish" / "completions" / "llama.fish")
    if shell == "bash":
        folder = Path(env.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion") / "completions"
        if any(map(os.path.exists, _BASH_COMPLETION)):
            return Place(shell=shell, script=folder / "llama")
        return _sourced(shell, folder / "llama", home / ".bashrc")
    if shell == "zsh":
        return _sourced(shell, data / "llama" / "completion.zsh", Path(env.get("ZDOTDIR") or home) / ".zshrc")
    documents = home / "Documents" / "PowerShell" if sys.platform == "win32" else settings / "powershell"
    return _sourced(shell, data / "llama" / "completion.ps1", documents / "Microsoft.PowerShell_profile.ps1")


def _sourced(shell: str, script: Path, start_file: Path) -> Place:
    import shlex

    quoted = f"'{str(script).replace(chr(39), chr(39) * 2)}'" if shell == "powershell" else shlex.quote(str(script))
    line = f". {quoted}" if shell == "powershell" else f"source {quoted}"
    return Place(shell=shell, script=script, start_file=start_file, line=line)
