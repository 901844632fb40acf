"""Asks a person whether a tool may be called."""

from __future__ import annotations

from llama_cli.conversation.answers import ToolCall
from llama_cli.conversation.mcp_tools import Allowed
from llama_cli.exits import ExitCode, Failure
from llama_cli.terminal import console, prompts
from runtime.stdio import one_line

_QUESTION = "allow it? [y]es, [N]o, [a]lways in this conversation: "


def ask(call: ToolCall, allowed: Allowed, *, with_json: bool) -> bool:
    """Whether it may be called. allowed: notes what is always to be. with_json: also where answers are JSON.

    Raises Failure (USAGE) where nobody can be asked.
    """
    # A name or an argument that begins a line could answer in place of the person.
    wanted = one_line(f"`{call.server}` is to be asked for `{call.name}` with {call.arguments or 'nothing'}")
    # What is allowed can be asked for again before the server was told.
    if allowed.everything or call.name in allowed.always.get(call.server, ()):
        return True
    if not prompts.can_ask(with_json=with_json):
        raise Failure(f"{wanted}: that needs a yes", hint="add `--yes`", code=ExitCode.USAGE)
    console.tell(wanted)
    try:
        answer = prompts.ask(_QUESTION).strip().lower()
    except EOFError:
        console.tell("")
        return False
    except KeyboardInterrupt:
        console.tell("")
        raise
    if answer in ("a", "always"):
        allowed.always.setdefault(call.server, set()).add(call.name)
    return answer in ("y", "yes", "a", "always")
