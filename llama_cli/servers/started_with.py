"""The run config that a server was started with, kept beside its record without its secrets, to compare and not to
read: the file may be another by now.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from llama_cli.exits import Failure
from llama_cli.servers.secret_digest import secret_digest
from runtime.config.home import atomic_write

if TYPE_CHECKING:
    from llama_cli.configs.differences import Value
    from llama_cli.servers.records import Record


def keep(record: Record, text: str) -> None:
    """Keep the text of a run config, as that which this start of the server reads. Where that fails, it is not known
    later, and the server starts all the same.
    """
    stated = {path: [value.shown, value.digest] for path, value in values_now(record, text).items()}
    with suppress(OSError):
        atomic_write(record.kept_config, json.dumps({"launch": record.launch, "values": stated}))


def values_now(record: Record, text: str) -> dict[str, Value]:
    """The values of a run config, to be compared with those that were kept. Raises ConfigInvalid where it is none."""
    from llama_cli.configs.differences import values_of
    from runtime.config.loading import read_tree

    digest = partial(secret_digest, salt=record.launch or "")
    return values_of(read_tree(text, file=record.config, env={}), digest=digest)


def kept(record: Record) -> dict[str, Value]:
    """The values that were kept. Raises Failure where they were not, or not for this start."""
    from llama_cli.configs.differences import Value

    try:
        stated = json.loads(record.kept_config.read_text(encoding="utf-8"))
        if stated["launch"] == record.launch:
            return {path: Value(shown=shown, digest=digest) for path, (shown, digest) in stated["values"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise Failure(
        f"what `{record.id}` was started with is not known: it was not kept, or was removed",
        hint=f"`llama stack restart {record.id}` keeps it",
    )
