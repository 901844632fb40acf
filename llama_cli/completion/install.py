"""Install completion where a shell looks for it."""

from __future__ import annotations

from llama_cli.completion._shell import Shell
from llama_cli.options import DryRun, Json, Quiet


def command(shell: Shell = None, dry_run: DryRun = False, json: Json = False, quiet: Quiet = False) -> None:
    """Install completion where a shell looks for it; what is installed already stays as it is.

    It is a file of its own and, where the shell reads no such folder, a marked line in its start file, which
    `uninstall` takes out again.

    Examples:
      llama completion install
      llama completion install fish
      llama completion install zsh --dry-run
    """
    from llama_cli.completing.changes import change

    change(shell, installed=True, dry_run=dry_run)
