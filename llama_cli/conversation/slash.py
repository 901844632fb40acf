"""What a person can do in a conversation beside asking: lines that begin with `/`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from llama_cli.conversation import attachments, given_texts, mcp_tools, models, saved
from llama_cli.conversation.attachments import Attachment
from llama_cli.conversation.session import Session
from llama_cli.exits import ExitCode, Failure
from llama_cli.servers.served import find
from llama_cli.terminal import console, words
from runtime.similar import nearest, suggestion

_COMMAND = re.compile(r"/(\w*)(?:[ \t]+(.*?))?[ \t]*")
_KEYS = """\
  Ctrl-C         stops an answer, which stays, or clears a line; twice, ends
  Ctrl-D         ends, as /exit does"""


class Slash:
    """The commands of one conversation. attached: files that go with the next question; keys: how one is typed, in
    lines of a table.
    """

    USAGE: ClassVar[dict[str, tuple[str, str]]] = {
        "/model": ("[ID]", "list the models, or let another one answer"),
        "/system": ("[TEXT]", "what the model reads first: show, set (@FILE too), remove (-)"),
        "/tool": ("[TOOL]", "list what the model may call, or add a server, as --tool does"),
        "/clear": ("", "forget what was said"),
        "/file": ("PATH", "send a file with the next question: text, image or PDF"),
        "/save": ("[FILE]", "write the conversation to a file"),
        "/load": ("FILE", "go on with a conversation from a file"),
        "/help": ("", "show this"),
        "/exit": ("", "end"),
    }

    def __init__(self, session: Session, attached: list[Attachment], keys: str) -> None:
        self._session = session
        self.attached = attached
        self._keys = keys
        self._does: dict[str, Callable[[str], None]] = {
            "/model": self._model,
            "/system": self._system,
            "/tool": self._tool,
            "/clear": self._clear,
            "/file": self._file,
            "/save": self._save,
            "/load": self._load,
            "/help": self._help,
            "/exit": self._exit,
            "/quit": self._exit,
        }

    @classmethod
    def helps(cls) -> dict[str, str]:
        """Command -> what it does."""
        return {name: what for name, (_, what) in cls.USAGE.items()}

    def obey(self, text: str) -> bool:
        """Whether it was a command, which is then done: one line whose first word is `/` and letters. Raises EOFError
        where it ends the conversation, Failure for one that there is not, or that cannot be done.
        """
        found = _COMMAND.fullmatch(text)
        if found is None:
            return False
        name, argument = f"/{found[1]}", found[2] or ""
        if name not in self._does:
            hint = suggestion(nearest(name, list(self.USAGE))) or "`/help` lists them"
            raise Failure(f"there is no command `{name}`", hint=hint, code=ExitCode.USAGE)
        takes, _ = self.USAGE.get(name, ("", ""))
        if not argument and takes and not takes.startswith("["):
            raise Failure(f"`{name}` needs a file", hint=f"type `{name} {takes}`", code=ExitCode.USAGE)
        self._does[name](argument)
        return True

    def _model(self, name: str) -> None:
        if not name:
            for model in models.of_kind(self._session.url, "llm"):
                console.tell(f"{'*' if model == self._session.model else ' '} {model}")
            return
        self._session.model = models.chosen(self._session.url, name, "llm")
        console.tell(f"{self._session.model} answers now")

    def _system(self, text: str) -> None:
        if text:
            self._session.system = None if text == "-" else given_texts.or_of_file(text, "/system")
        console.tell(self._session.system or "the model reads nothing first")

    def _tool(self, given: str) -> None:
        servers = self._session.tools.servers
        if given:
            servers += mcp_tools.read([given], beside=servers)
        for server in servers:
            console.tell(f"{server.label}: {server.place}")
        if not servers:
            console.tell("the model may call nothing; `/tool mcp:ADDRESS` lets it")

    def _clear(self, _: str) -> None:
        self._session.clear()
        self.attached.clear()
        console.tell("what was said is forgotten")

    def _file(self, name: str) -> None:
        if name == "-":
            raise Failure("standard input is what you type", hint="name a file", code=ExitCode.USAGE)
        file = attachments.read(name)
        self.attached.append(file)
        console.tell(f"`{file.name}` ({words.size(file.size)}) goes with your next question")

    def _save(self, name: str) -> None:
        console.tell(f"saved: {saved.save(self._session, name or None)}")

    def _load(self, name: str) -> None:
        found = saved.load(name)
        self._session.messages = found.messages
        if found.model and find(found.model, models.of_kind(self._session.url, "llm")):
            self._session.model = found.model
        console.tell(f"{self._session.model} answers; {saved.summary(self._session)}")

    def _exit(self, _: str) -> None:
        raise EOFError

    def _help(self, _: str) -> None:
        rows = [f"  {f'{name} {takes}':14} {what}" for name, (takes, what) in self.USAGE.items()]
        console.tell("\n".join([*rows, self._keys, _KEYS]))
