"""What `llama` says without a command: the five commands of the first day, and the next step for this machine.

Knows the folders of the user's Llama home and where our own code came from. Starts nothing and asks no server.
"""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import runtime
from llama_cli.programs import answer_of
from llama_cli.servers.records import alive_records
from llama_cli.terminal import console
from llama_cli.terminal.typed import typed
from runtime import __version__
from runtime.config.home import LOCK, config_of, distributions_dir

_FIRST_COMMANDS = (
    ("llama stack run starter", "build and serve an embedded model, no key needed"),
    ('llama chat "Hi"', "talk to the running stack"),
    ("llama stack ps", "what is running, and where"),
    ("llama stack list-providers", "what a stack can be made of"),
    ("llama help", "every command"),
)


def show() -> None:
    """Print the welcome as plain text."""
    console.out(f"Llama Stack {__version__}: one API for everything an AI application needs\n")
    width = max(len(command) for command, _ in _FIRST_COMMANDS)
    for command, what in _FIRST_COMMANDS:
        console.out(f"  {command:{width}}  {what}")
    step = next_step()
    console.out(f"\nnext: `{typed(step['command'])}` ({step['reason']})")


def next_step() -> dict[str, Any]:
    """command: what to type next; reason: why; servers: the addresses of what is running.

    Nothing built: build and run the starter; built: run it; running: use it.
    """
    servers = [record.url for record in alive_records() if record.url]
    folder = distributions_dir()
    built = sorted(path.name for path in folder.iterdir() if config_of(path)) if folder.is_dir() else []
    if servers:
        command, reason = 'llama chat "Hi"', f"running at {', '.join(servers)}"
    elif built:
        name = "starter" if "starter" in built else built[0]
        command, reason = f"llama stack run {name}", f"built: {', '.join(built)}"
    else:
        command, reason = "llama stack run starter", "nothing is built yet; this builds it first"
    return {"command": command, "reason": reason, "servers": servers}


def version_facts() -> dict[str, Any]:
    """`llama --version --json`. locks: by the name of each distribution, the SHA-256 of what its packages
    are locked to; the same digest is the same packages.
    """
    from hashlib import sha256

    folder = distributions_dir()
    locks = sorted(folder.glob(f"*/{LOCK}")) if folder.is_dir() else []
    return {
        "version": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "locks": {lock.parent.name: sha256(lock.read_bytes()).hexdigest() for lock in locks},
    }


def _commit() -> str | None:
    """The commit we run from: the source tree's, or the one an installer noted (PEP 610); None if unknown."""
    tree = Path(runtime.__file__).parents[1]
    if (tree / ".git").exists():
        try:
            asked = answer_of(["git", "-C", str(tree), "rev-parse", "HEAD"], limit_s=5)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return asked.stdout.strip() or None
    from importlib import metadata

    try:
        noted = metadata.distribution("llama-stack-toolchain").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    commit = json.loads(noted or "{}").get("vcs_info", {}).get("commit_id")
    return commit if isinstance(commit, str) else None
