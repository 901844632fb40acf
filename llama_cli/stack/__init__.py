"""Build, run and watch distributions.

Each explains itself, with examples: `llama stack run --help`.

Examples:
  llama stack run starter
"""

USUAL = ("build", "list", "list-providers", "logs", "ps", "run", "status", "stop")
"""The commands that the short help explains; it names the others."""

OLDER = {"rm": "stack remove"}
"""Names of other systems, and the commands that have taken their place."""
