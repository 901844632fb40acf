"""Where `llama` starts: completion, which a shell asks for at every press of a key, is answered without the rest."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point of the console script."""
    if sys.argv[1:2] == ["__complete"]:
        from llama_cli.completing.answer import main as complete

        try:
            complete(sys.argv[2:])
        except Exception as error:  # the shell, which asked, offers nothing then
            from llama_cli.console import ExitCode

            sys.stderr.write(f"error: {error}\n")
            sys.exit(ExitCode.FAILED)
        return
    from llama_cli.main import main as run

    run()


if __name__ == "__main__":
    main()
