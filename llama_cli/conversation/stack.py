"""The stack that is asked: one that runs, or one that is started for this command alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llama_cli.asking.address import address_of
from llama_cli.exits import Failure
from llama_cli.options import variable_behind

_OR_ELSE = ", have one for this alone with `--distro starter`, or name one with `--url`"
_HOST = "127.0.0.1"


@contextmanager
def asked(url: str | None, distro: str | None, config: str | None) -> Iterator[str]:
    """The address of a server, which answers for as long as the block runs. url, distro, config: the options; of a
    server that the environment names, a stack of one's own comes first.

    Raises what `address_of` and `temporary` do, and Failure (USAGE) for several options.
    """
    if distro is not None and config is not None:
        raise Failure.of_option("--config", "`--distro` says already what to start")
    target, option = (distro, "--distro") if distro is not None else (config, "--config")
    if target is None:
        yield address_of(url, or_else=_OR_ELSE)
        return
    if url is not None and variable_behind("url") is None:
        raise Failure.of_option("--url", f"`{option}` starts a server of its own", hint="give one of them")
    if not target:
        raise Failure.of_option(option, "an empty name", hint="is a variable not set that stands there?")
    from llama_cli.start_options import StartOptions
    from llama_cli.terminal.progress import waiting
    from runtime.config.text import shown

    with waiting(f"reading `{shown(target)}`"):
        from llama_cli.servers.temporary import temporary

        start = StartOptions().read(target, host=_HOST, port=0, for_command=True)
    with temporary(start) as ready:
        assert ready.url is not None
        yield ready.url
