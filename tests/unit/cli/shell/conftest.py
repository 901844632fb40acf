"""The command line in a Llama home of its own, as if in a pipe."""

from tests.support.command_runner import cli

__all__ = ["cli"]
