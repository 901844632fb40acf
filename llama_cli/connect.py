"""Configure a client or a coding tool for a server of ours"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DryRun, Json, Quiet, Url
from llama_cli.terminal import console

if TYPE_CHECKING:
    from llama_cli.clients._client import Client, Server


def command(
    tool: Annotated[
        str | None, typer.Argument(metavar="TOOL", help="Which one; without it, all that are known are listed.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The model it starts with; otherwise the first that chats.")
    ] = None,
    url: Url = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write it into the tool's own file; a copy is kept of what was there.")
    ] = False,
    print_env: Annotated[
        bool, typer.Option("--print-env", help="Print variables only, for `eval`.", rich_help_panel="More")
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Print the configuration that makes a client or a coding tool use a server of ours, or write it.

    What else stands in the tool's file stays; a file with comments is left to you. A key is never written: only the
    variable LLAMA_STACK_API_KEY, where it is set. With --dry-run, what --write would change is shown.

    Examples:
      llama connect
      llama connect opencode --write --dry-run
      llama connect aider --print-env
    """
    from llama_cli.clients import _client

    if tool is None:
        _list()
        return
    try:
        client = _client.find(tool)
    except KeyError:
        from runtime.similar import names_for

        hint = names_for(tool, _client.names())
        raise Failure(f"`{tool}` is no client that is known here", hint=hint, code=ExitCode.USAGE) from None
    if write and (client.file is None or client.form is None or client.settings is None):
        hint = (
            f'eval "$(llama connect {tool} --print-env)"' if client.variables else f"`llama connect {tool}` prints it"
        )
        raise Failure(f"`{tool}` has no file that could be written", hint=hint, code=ExitCode.USAGE)
    if print_env and client.variables is None:
        raise Failure(f"`{tool}` reads no variables", hint=f"see `llama connect {tool}`", code=ExitCode.USAGE)
    server = _server(url, model, tool, client)
    _show(tool, client, server, write=write, print_env=print_env, dry_run=dry_run)


def _list() -> None:
    import os

    from llama_cli.clients import _client
    from llama_cli.terminal.tables import Column, listing

    rows = []
    for name in _client.names():
        client = _client.find(name)
        file = str(client.file(os.environ)) if client.file else None
        rows.append(
            {"name": name, "summary": client.summary, "speaks": client.speaks, "file": file, "page": client.page}
        )
    if console.settings.json:
        console.document({"tools": rows, "connection": None})
        return
    columns = [
        Column("name", "Name"),
        Column("summary", "What it is", gives_way=True, readable=46),
        Column("speaks", "Speaks"),
        Column("file", "Its file", gives_way=True, spare=1),
        Column("page", "Documentation", spare=1),
    ]
    listing(rows, columns, name="name")


def _server(url: str | None, model: str | None, tool: str, client: Client) -> Server:
    """What it is connected to. Raises Failure where the server does not speak what the client does."""
    import os

    from llama_cli.asking.address import address_of
    from llama_cli.asking.reach import KEY_VARIABLE, way_to
    from llama_cli.clients._client import CONTEXT, Server
    from llama_cli.conversation.models import default_model
    from llama_cli.servers.served import find, served_models, unknown_model

    address = address_of(url)
    _check_protocol(address, tool, client)
    models = served_models(address)
    chosen = find(model, models) if model is not None else default_model(address, "llm")
    if chosen is None:
        raise unknown_model(model or "", models)
    chatting = tuple(name for name, kind in models.items() if kind == "llm" or name == chosen)
    return Server(
        url=way_to(address).root,
        model=chosen,
        models=(chosen, *(name for name in chatting if name != chosen)),
        context_length=_context_of(address, chosen) or CONTEXT,
        has_key=bool(os.environ.get(KEY_VARIABLE)),
    )


def _check_protocol(address: str, tool: str, client: Client) -> None:
    """A server that lists its routes has to have the client's; of another one, chat completions are believed."""
    from llama_cli.asking.routes import mounted
    from llama_cli.clients import _client

    try:
        spoken = _client.spoken(mounted(address))
    except Failure:
        return
    if client.speaks in spoken:
        return
    able = [name for name in _client.names() if _client.find(name).speaks in spoken]
    method, route = _client.ROUTES[client.speaks]
    message = f"`{tool}` needs `{method} {route}`, which {address} does not have"
    raise Failure(message, hint=f"these work with it: {', '.join(able) or 'none'}", code=ExitCode.USAGE)


def _context_of(address: str, model: str) -> int | None:
    from llama_cli.asking import ask

    for row in ask.listed(address, "/v1/models", by="id"):
        if row["id"] == model:
            stated = row.get("custom_metadata")
            facts = {**row, **(stated if isinstance(stated, dict) else {})}
            length = facts.get("context_length")
            return length if isinstance(length, int) else None
    return None


def _show(tool: str, client: Client, server: Server, *, write: bool, print_env: bool, dry_run: bool) -> None:
    import os

    from llama_cli.clients import _settings

    variables = dict(client.variables(server)) if client.variables else {}
    file = client.file(os.environ) if client.file else None
    content = client.text(server) if client.text else None
    if client.settings and client.form:
        content = _settings.as_text(_settings.whole(client, server), client.form)
    facts: dict[str, Any] = {
        "tool": tool,
        "url": server.base_url,
        "model": server.model,
        "variables": variables,
        "file": str(file) if file else None,
        "form": client.form,
        "content": content,
        "then": client.then(server) if client.then else None,
        "page": client.page,
        "difference": None,
        "written": False,
        "copy": None,
    }
    if (write or dry_run) and file and client.form and client.settings:
        before, after = _settings.changed(file, client, server)
        facts["difference"] = _settings.difference(file, before, after)
        if write and not dry_run and before != after:
            copy = _settings.write(file, after)
            facts |= {"written": True, "copy": str(copy) if copy else None}
    if console.settings.json:
        console.document({"tools": [], "connection": facts})
    elif print_env:
        _print_variables(server, variables)
    elif write or facts["difference"] is not None:
        _print_change(facts, dry_run=dry_run)
    else:
        _print(facts, server)


def _print_variables(server: Server, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        console.out(f"export {name}={server.in_shell(value)}")


def _print_change(facts: dict[str, Any], *, dry_run: bool) -> None:
    if not facts["difference"]:
        console.say(f"nothing has changed: {facts['file']}")
    elif dry_run:
        console.out(facts["difference"], end="")
        console.say(f"would write {facts['file']}")
    else:
        console.say(f"written: {facts['file']}" + (f"; before: {facts['copy']}" if facts["copy"] else ""))
    if facts["then"]:
        console.next_step(facts["then"])


def _print(facts: dict[str, Any], server: Server) -> None:
    if facts["content"] is not None:
        if facts["file"]:
            console.say(f"for {facts['file']}:")
        console.out(facts["content"].rstrip("\n"))
    elif facts["variables"]:
        _print_variables(server, facts["variables"])
    if facts["then"]:
        console.next_step(facts["then"])
    if facts["file"]:
        console.hint(f"`llama connect {facts['tool']} --write` puts it there")
