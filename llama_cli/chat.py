"""Chat with a running stack from the terminal or in a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cli import console
from llama_cli.options import Json, Quiet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HELP = """\
Enter sends a line; the model is told all that was said before.
  Ctrl-C   stops an answer, or gives a fresh line
  Ctrl-D   ends, as `/exit` does
  /help    shows this"""


def command(
    prompt: Annotated[
        str | None, typer.Argument(help="What to say; what comes in a pipe follows it.", show_default=False)
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="A model id; otherwise the first that chats.", show_default=False),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            help="The server; otherwise the one that runs here.", envvar="LLAMA_STACK_URL", show_default=False
        ),
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", "-s", help="What the model is told first.", show_default=False)
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="0 takes the likeliest word each time; the server's default otherwise.", min=0, show_default=False
        ),
    ] = None,
    max_tokens: Annotated[int, typer.Option(help="The longest an answer may get, in tokens.", min=1)] = 512,
    no_stream: Annotated[bool, typer.Option("--no-stream", help="Print the answer when it is whole.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Chat with a running stack: one answer to a prompt, or a conversation on a terminal.

    Examples:
      llama chat "What is a llama?"
      git diff | llama chat "Write a commit message" -q
      llama chat --model openai/gpt-4o-mini
    """
    import sys

    address = url or _running()
    piped = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    text = "\n\n".join(part for part in (prompt, piped) if part)
    if not text and not console.can_ask():
        from llama_cli.console import ExitCode, Failure

        raise Failure(
            "there is nothing to say",
            hint='give a prompt, as in `llama chat "Hello"`, or pipe one in',
            code=ExitCode.USAGE,
        )
    chat = Chat(
        address,
        model or _first_model(address),
        system,
        stream=not no_stream and not json,
        max_tokens=max_tokens,
        temperature=temperature,
    )
    if text:
        answer = chat.say(text)
        if json:
            console.document(answer)
    else:
        _converse(chat)


class Chat:
    """A conversation with one model; keeps what was said.

    max_tokens: of one answer; temperature: None leaves it to the server.
    """

    def __init__(
        self,
        url: str,
        model: str,
        system: str | None,
        *,
        stream: bool,
        max_tokens: int,
        temperature: float | None = None,
    ) -> None:
        self.url = url
        self.model = model
        self.stream = stream
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.messages: list[dict[str, str]] = [{"role": "system", "content": system}] if system else []

    def say(self, text: str) -> dict[str, Any]:
        """Send a message, print the answer as it comes and return it: model, content, finish_reason, usage (None where
        not told).
        """
        from llama_cli.console import Failure
        from llama_cli.distribution import ask

        messages = [*self.messages, {"role": "user", "content": text}]
        body: dict[str, Any] = {"model": self.model, "messages": messages, "max_tokens": self.max_tokens}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        answer: dict[str, Any] = {"model": self.model, "content": "", "finish_reason": None, "usage": None}
        try:
            # A model that is still loading may take its time for the first token.
            with ask.request(self.url, "/v1/chat/completions", body, timeout_s=600) as reply:
                for piece in _pieces(ask.events(reply)) if self.stream else _whole(reply.read()):
                    answer["content"] += piece.pop("content", "")
                    answer |= piece
        except Failure as failure:
            if failure.hint and "GET /v1/models" in failure.hint:
                # A route is no help on a command line; what is there to choose from is.
                failure.hint = f"it serves {', '.join(f'`{name}`' for name in _models(self.url)) or 'no model yet'}"
            raise
        if not self.stream and not console.settings.json:
            console.out(answer["content"])
        elif self.stream:
            console.out("")
        if answer["finish_reason"] == "length":
            console.say(self._why_cut(answer["usage"]))
        self.messages = [*messages, {"role": "assistant", "content": answer["content"]}]
        return answer

    def _why_cut(self, usage: Mapping[str, Any] | None) -> str:
        """A model whose context is full stops before `max_tokens`, and more of those would not help."""
        told = (usage or {}).get("completion_tokens")
        if isinstance(told, int) and told < self.max_tokens:
            return f"cut at {told} tokens, where the model's context ends"
        return f"cut at {self.max_tokens} tokens; --max-tokens allows more"


def _pieces(events: Iterator[Any]) -> Iterator[dict[str, Any]]:
    """Print each delta; give what it adds to the answer."""
    for event in events:
        if event.get("usage"):
            yield {"usage": event["usage"]}
        for choice in event.get("choices") or ():
            content = (choice.get("delta") or {}).get("content")
            if content:
                console.out(content, end="")
                yield {"content": content}
            if choice.get("finish_reason"):
                yield {"finish_reason": choice["finish_reason"]}


def _whole(data: bytes) -> Iterator[dict[str, Any]]:
    import json

    completion = json.loads(data)
    choice = completion["choices"][0]
    yield {
        "content": choice["message"].get("content") or "",
        "finish_reason": choice.get("finish_reason"),
        "usage": completion.get("usage"),
    }


def _converse(chat: Chat) -> None:
    """Read, answer, repeat. Ctrl-C gives a fresh line, or cuts an answer short; Ctrl-D or `/exit` ends."""
    from contextlib import suppress

    from llama_cli.console import Failure

    with suppress(ImportError):
        import readline  # noqa: F401  # gives `input` a history and editing
    console.say(f"talking to {chat.model} at {chat.url}; /help explains, Ctrl-D or /exit ends")
    while True:
        try:
            text = console.ask("> ").strip()
        except EOFError:
            console.say("")
            return
        except KeyboardInterrupt:
            console.say("")
            continue
        if text in ("/exit", "/quit"):
            return
        if text == "/help":
            console.say(_HELP)
            continue
        if not text:
            continue
        try:
            chat.say(text)
        except KeyboardInterrupt:
            console.say("\n(cut short)")
        except Failure as failure:
            console.failure(failure)


def _running() -> str:
    """The address of the server that runs here. Raises Failure with what to do where none or several do."""
    from llama_cli.distribution.records import HEALTHY, alive_records, none_runs, several_run

    running = [record for record in alive_records() if record.url and record.state in HEALTHY]
    if not running:
        raise none_runs(or_else=", or name one with `--url`")
    if len(running) > 1:
        raise several_run(running, hint=f"choose one, as in `llama chat --url {running[0].url}`")
    assert running[0].url is not None
    return running[0].url


def _models(url: str) -> list[str]:
    from llama_cli.distribution import ask

    return [str(model["id"]) for model in ask.get(url, "/v1/models")["data"]]


def _first_model(url: str) -> str:
    """The first model that is not for embeddings, reranking or safety. Raises Failure where there is none."""
    from llama_cli.console import ExitCode, Failure
    from llama_cli.distribution import ask

    models: Sequence[Mapping[str, Any]] = ask.get(url, "/v1/models")["data"]
    for model in models:
        kind = model.get("model_type") or (model.get("custom_metadata") or {}).get("model_type") or "llm"
        if kind == "llm":
            return str(model["id"])
    raise Failure(
        f"{url} serves no model to chat with",
        hint="turn a provider on; `llama stack run` says which variable does",
        code=ExitCode.UNHEALTHY,
    )
