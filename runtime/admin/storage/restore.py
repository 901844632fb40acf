"""`storage restore`: go back to a copy that was kept before a migration."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from runtime.admin.storage.kept import kept_by
from runtime.admin.storage.show import copies_of
from runtime.errors import NotFound
from runtime.similar import names_for
from runtime.storage import state_folder


async def restore(run_yaml: Path, state_dir: Path, *, name: str, is_trial: bool) -> dict[str, Any]:
    """`copy`: what it has gone back to, or with is_trial would. Raises NotFound for a copy that there is not, Conflict
    while a server runs, ConfigInvalid, Unavailable.
    """
    async with AsyncExitStack() as held:
        if not is_trial:
            holder = f"`llama stack storage restore`, pid {os.getpid()}"
            held.enter_context(state_folder.hold(state_dir, holder=holder))
        kept = await held.enter_async_context(kept_by(run_yaml, state_dir))
        rows = await copies_of(kept)
        row = next((each for each in rows if each["name"] == name), None)
        if row is None:
            known = [each["name"] for each in rows]
            hint = names_for(name, known) if known else "copies are made before migrations"
            raise NotFound(f"there is no copy `{name}` here", hint=hint)
        if not is_trial:
            database = kept.databases[row["backend"]]
            [copy] = [each for each in await database.copies() if each.name == name]
            await database.restore(copy)
        return {"copy": row, "dry_run": is_trial}
