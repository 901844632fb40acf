"""How a command is told which shell."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.completing.values import SHELLS

Shell = Annotated[str | None, typer.Argument(metavar="SHELL", help=f"One of {', '.join(SHELLS)}; yours unless given.")]
