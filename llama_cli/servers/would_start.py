"""What starting a server would come to, as far as that is known without it: what `--dry-run` says, and what is refused
before a server that runs is stopped.

Reads the run config and plans it. Builds, writes and starts nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_cli.exits import ExitCode, Failure
from llama_cli.servers import records
from llama_cli.servers.choices import Choices
from llama_cli.servers.prepare import about
from llama_cli.servers.records import Record
from llama_cli.servers.startable import planned_for_start

if TYPE_CHECKING:
    from runtime.stack.plan import Plan


def as_run(choices: Choices, variables: Mapping[str, str], *, config: str | None = None) -> dict[str, Any]:
    """What `run` would do, in the shape of what it says once the server is ready. config: as for `prepare`.

    Raises NotFound, and ConfigInvalid for a file or a choice that the server would refuse.
    """
    from llama_cli.packages.planning import run_config_of
    from llama_cli.packages.run_yaml import will_hold
    from llama_cli.packages.source import Choice, locate

    choice = Choice(target=choices.target, text=config, providers=choices.providers, to_run=True)
    source = locate(choice, variables)
    run = run_config_of(source, will_hold(source), variables, to_run=True)
    planned = planned_for_start(choices, run, variables, file=source.shown)
    server_id = records.next_id(source.name)
    return {
        **_document(choices, planned, name=source.name, run_yaml=str(source.run_yaml)),
        "id": server_id,
        "host": choices.host or run.server.host,
        "port": run.server.port if choices.port is None else choices.port,
        "log_file": str(Path(source.folder, "logs", f"{server_id}.log")),
    }


def as_restart(record: Record, choices: Choices, variables: Mapping[str, str]) -> dict[str, Any]:
    """What `restart` would do, in the same shape.

    Raises Failure (CONFIG) where a provider that runs would be off, since its variables are not set any more, and what
    `as_run` raises.
    """
    from llama_cli.packages.known import known
    from runtime.config.home import distribution_dir
    from runtime.stack.plan import read_run_config

    run = read_run_config(
        record.run_config, variables, find_world=known(variables, distribution_dir(record.name, variables))
    )
    planned = planned_for_start(choices, run, variables, file=record.run_config)
    if record.url is not None:  # else it has never said what is off
        _refuse_loss(record, choices, _off_in(planned))
    return {
        **_document(choices, planned, name=record.name, run_yaml=record.run_config, server_id=record.id),
        "id": record.id,
        "host": choices.host or record.host,
        "port": choices.port or record.port,
        "log_file": record.log_file,
    }


def _document(
    choices: Choices, planned: Plan, *, name: str, run_yaml: str | None, server_id: str | None = None
) -> dict[str, Any]:
    """In the shape of `ready`, but for what depends on whether it is new. server_id: of one that has run."""
    return {
        "name": name,
        "state": "planned",
        **dict.fromkeys(("reason", "load_timeout_s", "url", "pid", "openai_base_url")),
        "degraded": {},
        "down": {},
        "settled": False,
        "loading": [],
        "models": [],
        "off": _off_in(planned),
        **about(name, choices, run_yaml=run_yaml, beside=server_id),
    }


def _off_in(planned: Plan) -> list[dict[str, Any]]:
    return [{"provider_type": off.provider_type, "variables": list(off.enabled_by)} for off in planned.off]


def _refuse_loss(record: Record, choices: Choices, off: Iterable[Mapping[str, Any]]) -> None:
    lost = Counter(map(_key, off)) - Counter(map(_key, record.off))
    named = {kind.rpartition("::")[2]: variables for kind, variables in lost if variables}
    for name in {name.rpartition("/")[2] for name in choices.without}:
        named.pop(name, None)
    if not named:
        return
    lines = [f"`{name}`: {', '.join(f'`{each}`' for each in variables)}" for name, variables in named.items()]
    variables = sorted({variable for needed in named.values() for variable in needed})
    given = " ".join(f"--env {variable}" for variable in variables)
    without = " ".join(f"--without {name}" for name in named)
    raise Failure(
        f"`{record.id}` runs with providers that it would lose, since their variables are not set here:"
        + "".join(f"\n  {line}" for line in lines),
        hint=f"set them here, or give them: `--env-file FILE`, `{given}`; or start it without: "
        f"`llama stack restart {record.id} {without}`",
        code=ExitCode.CONFIG,
        facts={"id": record.id, "lost": {name: list(needed) for name, needed in named.items()}},
    )


def _key(off: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    return str(off.get("provider_type")), tuple(map(str, off.get("variables") or ()))
