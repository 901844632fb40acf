"""Take completion away again."""

from __future__ import annotations

from llama_cli.completion._shell import Shell
from llama_cli.options import DryRun, Json, Quiet


def command(shell: Shell = None, dry_run: DryRun = False, json: Json = False, quiet: Quiet = False) -> None:
    """Take completion away again: the script, and the line in the shell's start file.

    Examples:
      llama completion uninstall
      llama completion uninstall fish --dry-run
    """
    from llama_cli.completing.changes import change

    change(shell, installed=False, dry_run=dry_run)
