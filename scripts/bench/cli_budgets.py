"""What a command line that starts nothing may cost: one table for the benchmark, which measures it, and for the test
that counts what each loads. Standard library only, as all that measures small commands is.

CPU is counted in times of `import typer, rich.console`, the least that such a program costs.
"""

from __future__ import annotations

from typing import NamedTuple


class Budget(NamedTuple):
    """times_bare: CPU; peak_mb: resident, in 2**20 bytes; reads_config: may load pydantic, YAML and Jinja for it;
    renders: may load Jinja alone.
    """

    times_bare: float
    peak_mb: int
    reads_config: bool = False
    renders: bool = False


LIGHT = Budget(1.5, 40)
"""Help, lists, and what is known without asking anyone."""
WHOLE = Budget(2.0, 40)
"""Loads every command, to describe it."""
COMPLETED = Budget(1.1, 40)
"""What a shell waits for between two keys: 0.1 s where bare is 0.09 s."""
DRAWN = Budget(2.0, 40)
"""The same on a terminal, with colours, and with tables by Rich."""
RENDERED = Budget(2.0, 40, renders=True)
"""Writes text from templates, and reads no run config."""
PLANNED = Budget(4.5, 64, reads_config=True)
"""Reads a run config, or renders one, and plans it: 0.35 s where bare is 0.08 s."""
CHECKED = Budget(6.0, 64, reads_config=True)
"""Reads the largest run config that we ship, with the settings of each of its providers: 0.5 s there."""

LINES: dict[str, Budget] = {
    "llama": LIGHT,
    "llama --help": LIGHT,
    "llama --version": LIGHT,
    "llama help": LIGHT,
    "llama help exit-codes": LIGHT,
    "llama help --json": WHOLE,
    "llama stack": LIGHT,
    "llama stack run --help": LIGHT,
    "llama stack run --help --all": LIGHT,
    "llama stack no-such-command": LIGHT,
    "llama stack ps --no-such-option": LIGHT,
    "llama stack list": LIGHT,
    "llama stack list --json": LIGHT,
    "llama stack list-apis": LIGHT,
    "llama stack list-apis --json": LIGHT,
    "llama stack list-providers": LIGHT,
    "llama stack list-providers --json": LIGHT,
    "llama stack ps": LIGHT,
    "llama stack ps --all --json": LIGHT,
    "llama stack logs": LIGHT,
    "llama stack stop --all --dry-run": LIGHT,
    "llama stack df": LIGHT,
    "llama stack prune --dry-run": LIGHT,
    "llama stack remove starter --dry-run": LIGHT,
    "llama completion show bash": LIGHT,
    "llama completion install bash --dry-run": LIGHT,
    "llama completion uninstall bash --dry-run": LIGHT,
    "llama __complete bash 'llama stack '": COMPLETED,
    "llama __complete bash 'llama stack run '": COMPLETED,
    "llama __complete bash 'llama stack run starter --providers inference='": COMPLETED,
    "llama __complete bash 'llama stack show-provider '": COMPLETED,
    "llama __complete bash 'llama stack storage prune starter --kind '": COMPLETED,
    "llama help stack run --format man": LIGHT,
    "llama help environment": LIGHT,
    "llama model list": LIGHT,
    "llama model list --all": LIGHT,
    "llama model describe Llama3.3-70B-Instruct": LIGHT,
    "llama model prompt-format Llama3.1-8B": LIGHT,
    "llama model remove nothing --dry-run": LIGHT,
    "llama model verify nothing": LIGHT,
    "llama model import nothing.gguf --dry-run": LIGHT,
    "llama stack recordings ls": LIGHT,
    "llama stack recordings show nothing": LIGHT,
    "llama stack recordings prune --unused --dry-run": LIGHT,
    "llama stack recordings import nothing --dry-run": LIGHT,
    "llama stack list-deps starter": PLANNED,
    "llama stack show starter": PLANNED,
    "llama stack show starter --resolved": PLANNED,
    "llama stack show-provider remote::ollama": PLANNED,
    "llama stack env starter": PLANNED,
    "llama stack init mine --dry-run": PLANNED,
    "llama stack new-provider acme --api inference --dry-run": RENDERED,
    "llama stack diff starter remote": PLANNED,
    "llama stack validate starter": CHECKED,
    "llama stack run starter --dry-run": PLANNED,
    "llama stack exec starter --dry-run -- true": PLANNED,
    "llama stack build starter --dry-run": PLANNED,
}
"""Every command that starts nothing and asks nobody, with an empty Llama home; some fail there, and are as quick."""
ON_A_TERMINAL: dict[str, Budget] = {
    "llama --help": DRAWN,
    "llama stack run --help": DRAWN,
    "llama stack list": DRAWN,
    "llama stack list-providers": DRAWN,
}
AGAIN = {"llama stack build remote": Budget(10.0, 96, reads_config=True)}
"""What finds that it has been done already: 0.9 s where bare is 0.09 s."""

FILES = 10_000
AMONG_FILES: dict[str, Budget] = {
    "llama stack df": Budget(2.0, 40),
    "llama stack list": LIGHT,
    "llama stack remove large --dry-run": Budget(2.0, 40),
}
"""With a distribution `large` of so many files, twice what `remote` has: to look at each may cost 0.08 times bare for a
thousand, which is 6 ms; a command that does not look at them costs what it costs without.
"""

ASKS: dict[str, str] = {
    "llama api": "a server",
    "llama connect": "a server",
    "llama doctor": "providers, the network, the driver of the GPU",
    "llama chat": "a server",
    "llama complete": "a server",
    "llama embed": "a server",
    "llama models": "a server",
    "llama moderate": "a server",
    "llama shields": "a server",
    "llama model download": "a hub",
    "llama open": "a browser",
    "llama service install": "the service manager",
    "llama service status": "the service manager",
    "llama service uninstall": "the service manager",
    "llama stack batch cancel": "a server",
    "llama stack batch ls": "a server",
    "llama stack batch results": "a server",
    "llama stack batch submit": "a server",
    "llama stack eval cancel": "a server",
    "llama stack eval compare": "a server",
    "llama stack eval ls": "a server",
    "llama stack eval run": "a server",
    "llama stack eval show": "a server",
    "llama stack explain": "a server",
    "llama stack mcp": "a server",
    "llama stack recordings refresh": "providers, by a distribution's interpreter",
    "llama stack recordings verify": "providers, by a distribution's interpreter",
    "llama stack restart": "stops and starts a server",
    "llama stack status": "a server",
    "llama stack storage export": "databases, by a distribution's interpreter",
    "llama stack storage import": "databases, by a distribution's interpreter",
    "llama stack storage prune": "databases, by a distribution's interpreter",
    "llama stack storage query": "databases, by a distribution's interpreter",
    "llama stack storage restore": "databases, by a distribution's interpreter",
    "llama stack storage show": "databases, by a distribution's interpreter",
    "llama stack top": "a server",
    "llama stack traces show": "a server",
    "llama stack traces sql": "a server",
    "llama stack wait": "a server",
}
"""Commands that have no such line, and whom they ask or what they start."""
