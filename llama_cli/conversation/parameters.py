"""The options that say how a model is to answer, and the fields of a request that they become.

Only what was given is sent: everything else is left to the server. Knows Typer and OpenAI's names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from llama_cli.exits import Failure

MORE = "More"
"""The panel of options that few need."""

Model = Annotated[str | None, typer.Option("--model", "-m", help="Which model; the server's default otherwise.")]
Distro = Annotated[
    str | None,
    typer.Option(
        "--distro", metavar="DISTRO", help="Start this distribution, and stop it at the end.", rich_help_panel=MORE
    ),
]
Config = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="The same with a run.yaml; `-` is stdin.", rich_help_panel=MORE),
]
Temperature = Annotated[
    float | None, typer.Option(help="0 takes the likeliest word each time.", min=0, rich_help_panel=MORE)
]
TopP = Annotated[
    float | None,
    typer.Option(help="Choose among the likeliest words of this share.", min=0, max=1, rich_help_panel=MORE),
]
MaxTokens = Annotated[
    int | None, typer.Option(help="The longest an answer can get, in tokens.", min=1, rich_help_panel=MORE)
]
Seed = Annotated[int | None, typer.Option(help="The same seed, the same answer.", rich_help_panel=MORE)]
Stop = Annotated[
    list[str] | None, typer.Option(metavar="TEXT", help="End before this text; repeatable.", rich_help_panel=MORE)
]
ReasoningEffort = Annotated[
    str | None,
    typer.Option(
        metavar="none|low|medium|high",
        help="How long it thinks; some models have others, such as minimal.",
        rich_help_panel=MORE,
    ),
]
NoStream = Annotated[bool, typer.Option("--no-stream", help="Print the answer when it is whole.", rich_help_panel=MORE)]
Agree = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; agree to what is asked.", rich_help_panel=MORE)]
Other = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        "-F",
        metavar="NAME=VALUE",
        help="Any other field of the request: JSON, a text or `@FILE`.",
        rich_help_panel=MORE,
    ),
]
_OURS = {
    **dict.fromkeys(("messages", "prompt", "input"), "the prompt is an argument"),
    "stream": "`--no-stream` turns streaming off",
    "model": "use `--model`",
    "n": "one answer is shown; run the command again for another",
}
"""Fields that decide what comes back, and what is there in their place."""


def fields(other: Sequence[str] | None, **given: Any) -> dict[str, Any]:
    """The fields of a request: those that are given, which None is not, and those of `--field`. Raises Failure."""
    from llama_cli.asking import bodies

    stated = {name: value for name, value in given.items() if value is not None and value != []}
    for name, value in bodies.fields(other or ()).items():
        if name in _OURS:
            raise Failure.of_option("--field", f"`{name}` cannot be set here", hint=_OURS[name])
        stated[name] = value
    return stated
