"""Chat with a running stack from the terminal or in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llama_cli import console
from llama_cli.console import ExitCode, Failure
from llama_cli.options import Json, Quiet, Url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llama_cli.servers.ask import ServerReply

_SHOWN_MODELS = 10
_PATIENCE_S = 2.0
_ANSWER = "The answer"
_HELP = """\
Enter sends a line; the model gets all that was said before.
  Ctrl-C   stops an answer, or gives a fresh line
  Ctrl-D   ends, as `/exit` does
  /help    shows this"""


def command(
    prompt: Annotated[str | None, typer.Argument(help="What to say; what comes in a pipe follows it.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model id; otherwise the first that chats.")
    ] = None,
    url: Url = None,
    system: Annotated[str | None, typer.Option("--system", "-s", help="What the model reads first.")] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="0 takes the likeliest word each time; the server's default otherwise.", min=0, rich_help_panel=_ANSWER
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            help="The longest an answer can get, in tokens; otherwise the model's end.", min=1, rich_help_panel=_ANSWER
        ),
    ] = None,
    no_stream: Annotated[
        bool, typer.Option("--no-stream", help="Print the answer when it is whole.", rich_help_panel=_ANSWER)
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Chat with a running stack: one answer to a prompt, or a conversation on a terminal.

    Examples:
      llama chat "What is a llama?"
      git diff | llama chat "Write a commit message" -q
      llama chat --model openai/gpt-4o-mini
    """
    from llama_cli.servers.address import address_of

    address = address_of(url)
    piped = _piped().strip().removeprefix("\ufeff")
    text = _as_text("\n\n".join(part for part in (prompt, piped) if part))
    if not text and not console.can_ask():
        hint = 'give a prompt, as in `llama chat "Hello"`, or pipe one in'
        raise Failure("there is nothing to say", hint=hint, code=ExitCode.USAGE)
    chat = Chat(
        url=address,
        model=model or _first_model(address),
        stream=not no_stream and not json,
        max_tokens=max_tokens,
        temperature=temperature,
        messages=[{"role": "system", "content": system}] if system else [],
    )
    if not text:
        _converse(chat)
        return
    answer = chat.say(text)
    if json:
        console.document(answer)


def _piped() -> str:
    """All of standard input where that is no terminal, and a message where it is open and nothing comes."""
    import select
    import sys

    if sys.stdin.isatty():
        return ""
    with suppress(OSError, ValueError):  # a stream that the system does not know
        if not select.select([sys.stdin], [], [], _PATIENCE_S)[0]:
            console.say("waiting for the end of standard input; `< /dev/null` says that nothing comes")
    return sys.stdin.read()


@dataclass(kw_only=True)
class Chat:
    """A conversation with one model. messages: what was said so far.

    max_tokens: of one answer; it and temperature: None leaves them to the server.
    """

    url: str
    model: str
    stream: bool
    max_tokens: int | None
    temperature: float | None
    messages: list[dict[str, str]]

    def say(self, text: str) -> dict[str, Any]:
        """Send a message, print the answer as it comes and return it: model, content, finish_reason, usage (None where
        the server does not state it).
        """
        import sys

        from llama_cli.servers.ready import served_models

        messages = [*self.messages, {"role": "user", "content": text}]
        answer: dict[str, Any] = {"model": self.model, "content": "", "finish_reason": None, "usage": None}
        try:
            for piece in self._asked(messages):
                answer["content"] += piece.pop("content", "")
                answer |= piece
        except Failure as failure:
            if failure.hint and "GET /v1/models" in failure.hint:
                # A route is no help on a command line; what there is to choose from is.
                models = [f"`{model}`" for model in served_models(self.url)]
                failure.hint = f"it serves {console.some(models, _SHOWN_MODELS) or 'no model yet'}"
            if self.stream and answer["content"] and console.is_terminal(sys.stdout):
                console.out("")  # what came stays, and what went wrong begins a line
            raise
        if self.stream or not console.settings.json:
            console.out("" if self.stream else answer["content"])
        self._mention_the_bound(answer["finish_reason"], answer["usage"])
        self.messages = [*messages, {"role": "assistant", "content": answer["content"]}]
        return answer

    def _asked(self, messages: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
        """What makes up the answer. Raises Failure where it does not come whole."""
        from llama_cli.servers import ask

        body: dict[str, Any] = {"model": self.model, "messages": messages}
        if self.max_tokens is not None:
            body["max_completion_tokens"] = self.max_tokens
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        # A model that is still loading can take its time for the first token.
        with ask.request(self.url, "/v1/chat/completions", body, timeout_s=600) as reply:
            if self.stream:
                yield from _pieces(reply, self.url)
            else:
                yield _understood(self.url, _whole, reply.json())

    def _mention_the_bound(self, finish_reason: str | None, usage: Mapping[str, Any] | None) -> None:
        """Where an answer was cut, and what would allow more."""
        stated = (usage or {}).get("completion_tokens")
        used = stated if isinstance(stated, int) else None
        if finish_reason != "length":
            return
        if self.max_tokens is not None and (used is None or used >= self.max_tokens):
            console.say(f"cut at {self.max_tokens} tokens; --max-tokens allows more")
        else:
            # A model whose context is full stops before any bound, and more of those would not help.
            console.say(f"cut{f' at {used} tokens' if used is not None else ''}, where the model's context ends")


def _pieces(reply: ServerReply, url: str) -> Iterator[dict[str, Any]]:
    """What each event of a stream adds, printed on the way. Raises Failure where it ends before its answer."""
    from llama_cli.servers import ask

    finished: dict[Any, bool] = {}  # by choice: whether it has said why it ended

    def read(event: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"usage": event["usage"]} if event.get("usage") else {}
        for choice in event.get("choices") or ():
            found["content"] = found.get("content", "") + ((choice.get("delta") or {}).get("content") or "")
            if choice.get("finish_reason"):
                found["finish_reason"] = choice["finish_reason"]
            index = choice.get("index", 0)
            finished[index] = finished.get(index, False) or bool(choice.get("finish_reason"))
        return found

    for event in ask.events(reply, is_whole=lambda: bool(finished) and all(finished.values())):
        found = _understood(url, read, event)
        if found.get("content"):
            console.out(found["content"], end="")
        yield found


def _whole(completion: Mapping[str, Any]) -> dict[str, Any]:
    choice = completion["choices"][0]
    return {
        "content": "" + (choice["message"].get("content") or ""),
        "finish_reason": choice.get("finish_reason"),
        "usage": completion.get("usage"),
    }


def _understood(url: str, read: Callable[[Any], dict[str, Any]], document: Any) -> dict[str, Any]:
    """A server's JSON, read. Raises Failure (NETWORK) where it has not the shape of a completion."""
    try:
        return read(document)
    except (AttributeError, TypeError, LookupError) as error:
        raise Failure(f"{url} answered with JSON that is no chat completion", code=ExitCode.NETWORK) from error


def _as_text(given: str) -> str:
    """What can be sent of it. Says so where that is not all of it, or where it is no text."""
    from runtime.stdio import well_formed

    sent = well_formed(given)
    if sent != given or "\0" in given:
        console.warn("the prompt is not UTF-8 text, so the model cannot read all of it; `iconv -t UTF-8` makes it so")
    return sent


def _converse(chat: Chat) -> None:
    """Read, answer, repeat. Ctrl-C gives a fresh line, or cuts an answer short; Ctrl-D or `/exit` ends."""
    with suppress(ImportError):
        import readline  # noqa: F401  # gives `input` a history and editing
    console.say(f"talking to {chat.model} at {chat.url}; /help explains, Ctrl-D or /exit ends")
    while True:
        try:
            text = console.ask("> ").strip()
        except (EOFError, KeyboardInterrupt) as end:
            console.say("")
            if isinstance(end, EOFError):
                return
            continue
        if text in ("/exit", "/quit"):
            return
        try:
            if text == "/help":
                console.say(_HELP)
            elif text:
                chat.say(text)
        except KeyboardInterrupt:
            console.say("\n(cut short)")
        except Failure as failure:
            console.failure(failure)


def _first_model(url: str) -> str:
    """The first model that is not for embeddings, reranking or safety. Raises Failure where none is."""
    from llama_cli.servers.ready import served_models

    for model, kind in served_models(url).items():
        if kind == "llm":
            return model
    hint = "turn a provider on; `llama stack run` says which variable does"
    raise Failure(f"{url} serves no model to chat with", hint=hint, code=ExitCode.UNHEALTHY)
