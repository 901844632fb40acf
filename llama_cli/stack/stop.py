"""Stop servers, letting running requests finish."""

from __future__ import annotations

from typing import Annotated

import typer

from llama_cli.exits import ExitCode, Failure
from llama_cli.options import DRAIN_TIMEOUT, DrainTimeout, DryRun, Json, LocalUrl, Quiet, ServerNames, all_servers
from llama_cli.terminal import console, words
from llama_cli.terminal.progress import waiting


def command(
    names: ServerNames = None,
    url: LocalUrl = None,
    all_: Annotated[bool, typer.Option("--all", help="Every server that runs.")] = False,
    timeout: DrainTimeout = DRAIN_TIMEOUT,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Stop servers. When this returns they are gone, with everything they started; what is stopped already stays so.

    Examples:
      llama stack stop starter starter-2
      llama stack stop --all --timeout 5s
    """
    from concurrent.futures import ThreadPoolExecutor, wait
    from threading import Event

    from llama_cli.failures import failure_of
    from llama_cli.servers import named, records
    from llama_cli.servers.tidy import forget_stopped, sweep

    chosen_names = all_servers(names, url)
    if all_ and chosen_names:
        raise Failure("name servers or say `--all`, not both", code=ExitCode.USAGE)
    chosen = records.alive_records() if all_ else named.find_all(chosen_names)

    def end(record: records.Record) -> str:
        if not record.alive:
            console.say(f"`{record.id}` is not running")
            return "not_running"
        if dry_run:
            console.say(f"would stop `{record.id}` (pid {record.pid})")
            return "would_stop"
        from llama_cli.servers.stop import stop  # with psutil, a third of what a dry run costs

        console.detail(f"asking `{record.id}` (pid {record.pid}) to end")
        how = stop(record, timeout_s=timeout, is_given_up=interrupted.is_set)
        forget_stopped(record)
        late = "" if how == "drained" else f"; it had not finished after {words.duration(timeout)}"
        console.say(f"stopped `{record.id}`{late}")
        return how

    if not chosen:
        console.say("no server is running")
    # All at once: each can take its whole time to drain.
    interrupted = Event()
    ending = words.some([f"`{record.id}`" for record in chosen], 3)
    with waiting(f"stopping {ending}"), ThreadPoolExecutor(max_workers=max(1, len(chosen))) as workers:
        ends = [workers.submit(end, record) for record in chosen]
        try:
            wait(ends)
        except BaseException:  # Ctrl-C: else the workers would be waited for
            interrupted.set()
            raise
    if not dry_run:
        sweep()
    failed = [failure_of(error, ()) for each in ends if isinstance(error := each.exception(), Exception)]
    for failure in failed[1:]:
        console.warn(failure.message)
    if failed:
        raise failed[0]
    if json:
        console.document(
            [
                {
                    "id": record.id,
                    "name": record.name,
                    "pid": record.pid if record.alive else None,
                    "result": each.result(),
                }
                for record, each in zip(chosen, ends, strict=True)
            ]
        )
