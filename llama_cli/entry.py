"""Where `llama` starts: completion, which a shell asks for at every press of a key, is answered without the rest.

While the rest is loaded, Ctrl-C ends the process as it ends any program; Python would answer with a traceback of
whatever it is importing. `llama_cli.main` takes over from there.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` wraps, which takes a while to load itself
import sys

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # and not ignored, as in a shell's background
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)


def main() -> None:
    """The entry point of the console script."""
    if sys.argv[1:2] == ["__complete"]:
        from llama_cli.completing.answer import main as complete

        try:
            complete(sys.argv[2:])
        except Exception as error:  # the shell, which asked, offers nothing then
            from llama_cli.exits import ExitCode

            sys.stderr.write(f"error: {error}\n")
            sys.exit(ExitCode.FAILED)
        return
    from llama_cli.main import main as run

    run()


if __name__ == "__main__":
    main()
