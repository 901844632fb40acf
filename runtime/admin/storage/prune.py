"""`storage prune`: remove what is too old, of some kinds; or count what would go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runtime.admin.storage.analytics import STORE as ANALYTICS
from runtime.admin.storage.kept import kept_by
from runtime.admin.storage.show import measured
from runtime.clock import wall_time
from runtime.errors import NotFound
from runtime.similar import names_for
from runtime.storage.sql.ageing import older_than, remove_older
from runtime.storage.sql.measuring import measure_whole
from runtime.storage.state_folder import is_held


async def prune(
    run_yaml: Path,
    state_dir: Path,
    *,
    kinds: Sequence[str],
    older_than_s: float,
    is_trial: bool,
    tell: Callable[[str, int, int], None],
) -> dict[str, Any]:
    """`removed`: for each kind what went, as `show` has it; or with is_trial what would go. `freed_bytes`: what files
    of databases have become smaller: nothing if the state is `in_use`, since whoever writes there would have to wait.
    tell: the kind, how many have gone, and of how many.

    Raises NotFound for a kind that there is not, ConfigInvalid, Unavailable.
    """
    now = wall_time()
    before = now - older_than_s
    async with kept_by(run_yaml, state_dir) as kept:
        known = kept.ageing_kinds()
        for kind in kinds:
            if kind not in known:
                raise NotFound(f"nothing that ages is called `{kind}` here", hint=names_for(kind, known))
        removed, shrunk = [], {}
        for aged in kept.analytics.tables:
            if aged.name in kinds and aged.aged_by is not None:
                found = await kept.analytics.measure(aged, before=before)
                if not is_trial and found.count:
                    tell(aged.name, await kept.analytics.source.remove_before(aged, before), found.count)
                facts = {"kind": aged.name, "store": ANALYTICS, "backend": ANALYTICS, "marked": False}
                removed.append({**facts, **measured(found)})
        for kind, place, store, table in kept.kinds():
            if kind not in kinds or table.aged_by is None:
                continue
            found = await measure_whole(store, table, older_than(table, before, now), now=now)
            facts = {"kind": kind, "store": place.name, "backend": place.backend, "marked": table.pruned == "expire"}
            if not is_trial and found.count:
                gone = 0
                async for count in remove_older(store, table, before, now):
                    gone += count
                    tell(kind, gone, found.count)
                if table.pruned == "delete":
                    shrunk[place.backend] = kept.databases[place.backend]
            removed.append({**facts, **measured(found)})
        in_use = is_held(state_dir)
        freed = [] if in_use else [await backend.compact() for backend in shrunk.values()]
        return {"removed": removed, "freed_bytes": sum(freed), "in_use": in_use, "dry_run": is_trial}
