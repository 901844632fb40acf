"""Chat with a running stack from the terminal or in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from llama_cli.conversation import parameters
from llama_cli.conversation.parameters import MORE
from llama_cli.exits import ExitCode, Failure
from llama_cli.options import Json, Quiet, Url
from llama_cli.terminal import console, prompts

if TYPE_CHECKING:
    from llama_cli.conversation.attachments import Attachment
    from llama_cli.conversation.saved import Saved
    from llama_cli.conversation.turns import Turns


def command(
    prompt: Annotated[str | None, typer.Argument(help="What to say; what comes in a pipe follows it.")] = None,
    model: parameters.Model = None,
    url: Url = None,
    distro: parameters.Distro = None,
    config: parameters.Config = None,
    system: Annotated[
        str | None, typer.Option("--system", "-s", metavar="TEXT", help="What the model reads first, or `@FILE`.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(help="Send text, image or PDF along; `-` is stdin; repeatable."),
    ] = None,
    tool: Annotated[
        list[str] | None, typer.Option(metavar="mcp:URL", help="Let it call an MCP server's tools; repeatable.")
    ] = None,
    schema: Annotated[
        str | None, typer.Option(metavar="FILE|JSON", help="Answer with JSON that fits a schema; `-` is stdin.")
    ] = None,
    continues: Annotated[bool, typer.Option("--continue", "-c", help="Go on with the last conversation.")] = False,
    load: Annotated[
        str | None, typer.Option(metavar="FILE", help="Go on with a saved one; `-` is stdin.", rich_help_panel=MORE)
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write it to a file; `-` is stdout, in place of answers.", rich_help_panel=MORE
        ),
    ] = None,
    lines: Annotated[
        bool, typer.Option("--lines", help="Each line of stdin is a turn of one conversation.", rich_help_panel=MORE)
    ] = False,
    show_reasoning: Annotated[
        bool, typer.Option("--show-reasoning", help="Show what the model thinks, on stderr.", rich_help_panel=MORE)
    ] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", "--no-markdown", help="Show Markdown as it was written.", rich_help_panel=MORE),
    ] = False,
    max_tokens: parameters.MaxTokens = None,
    temperature: parameters.Temperature = None,
    top_p: parameters.TopP = None,
    seed: parameters.Seed = None,
    stop: parameters.Stop = None,
    reasoning_effort: parameters.ReasoningEffort = None,
    field: parameters.Other = None,
    no_stream: parameters.NoStream = False,
    yes: parameters.Agree = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Chat with a running stack: one answer, or a conversation on a terminal.

    The model is the one of `--model`; else the first in the server's list, which `default_model` in the run.yaml
    chooses. In a conversation, `/help` says what can be typed. What is not asked for is left to the server.

    Each call of a tool is asked for on a terminal, unless --yes allows all. `mcp:NAME` is a connector that the server
    knows, `mcp:LABEL=URL` a server under another name. LLAMA_MCP_AUTHORIZATION is the token that goes to it,
    LLAMA_MCP_HEADERS a JSON object of headers; with `_LABEL` behind, to that one of several.

    Ctrl-C stops an answer; the conversation goes on.

    Examples:
      llama chat "What is the capital of Japan?"
      git diff | llama chat "Write a commit message" -q
    """
    from llama_cli.conversation import attachments, given_texts, mcp_tools, models, piped, saved, stack
    from llama_cli.conversation.response_schema import ResponseSchema
    from llama_cli.conversation.session import Session
    from llama_cli.conversation.turns import Turns
    from runtime.config.text import STDIN

    is_read = piped.is_claimed(load, schema, *(file or ()), given_texts.file_of(system), config, "-" if lines else None)
    if save is not None and save != STDIN:
        saved.place(save)  # before a model works for nothing
    servers = mcp_tools.read(tool or ())
    fitting = ResponseSchema(schema) if schema is not None else None
    fields = parameters.fields(
        field,
        max_completion_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        stop=stop,
        reasoning_effort=reasoning_effort,
        response_format=fitting.response_format if fitting is not None else None,
    )
    first = given_texts.or_of_file(system, "--system") if system is not None else None
    earlier = _earlier(load, continues=continues)
    attached = [attachments.read(name) for name in file or ()]
    text = piped.as_text("\n\n".join(part for part in (prompt, "" if is_read else piped.text()) if part))
    converses = not text and not is_read and prompts.can_ask(with_json=True)
    if not (text or attached or lines or converses):
        hint = 'give a prompt, as in `llama chat "Hi"`, or pipe one in'
        raise Failure("there is nothing to say", hint=hint, code=ExitCode.USAGE)
    with stack.asked(url, distro, config) as address:
        session = Session(
            url=address,
            model=model or models.again_or_default(address, earlier.model),
            fields=fields,
            messages=earlier.messages,
            stream=not no_stream and not json,
            tools=mcp_tools.Tools(servers, mcp_tools.Allowed(everything=yes)),
        )
        if first is not None:
            session.system = first
        turns = Turns(
            session=session,
            raw=raw,
            show_reasoning=show_reasoning,
            schema=fitting,
            lasts=lines or converses,
            converses=converses,
            save_to=save,
        )
        if console.can_draw() and not model and not converses:
            console.dimly(f"{session.model} answers")
        _talk(turns, text, attached, lines=lines)


def _talk(turns: Turns, text: str, attached: list[Attachment], *, lines: bool) -> None:
    """What is said, and answered. text: in a conversation with a person, nothing."""
    from llama_cli.conversation import attachments, dialogue, piped

    if turns.converses:
        dialogue.with_person(turns, attached)
        return
    if text or not lines:
        turns.take(attachments.content_of(text, attached))
        attached.clear()
    if lines:
        dialogue.with_lines(turns, piped.lines(), attached)


def _earlier(load: str | None, *, continues: bool) -> Saved:
    """What was said before. Raises Failure."""
    from llama_cli.conversation import saved

    if load is not None and continues:
        raise Failure.of_option("--continue", "`--load` says already what to go on with")
    if load is not None:
        return saved.load(load)
    return saved.last() if continues else saved.Saved(None, [])
