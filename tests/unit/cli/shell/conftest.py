"""The command line in a Llama home of its own, as if in a pipe."""

from tests.support.command_runner import cli
from tests.support.command_world import world

__all__ = ["cli", "world"]
