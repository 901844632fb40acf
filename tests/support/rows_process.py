"""A process that changes datasets in a folder and kills itself on the way.

    python -m tests.support.rows_process STATE_DIR WORK POINT      POINT: a name of POINTS

WORK is `register` or `append`. It ends by SIGKILL at that point, and with status 0 if it never comes there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.conformance.datasetio.subject import append, registered
from runtime.conformance.stacks import run_config, serving
from runtime.providers.datasetio.localfs import places
from runtime.providers.datasetio.localfs.parts import Writer
from runtime.providers.datasetio.localfs.places import Places
from runtime.routing.registrations import Registrations

RUN = run_config(
    providers={"inference": [], "datasetio": [{"provider_id": "rows", "provider_type": "inline::localfs"}]},
    persistent=True,
)
POINTS: dict[str, tuple[Any, str, bool]] = {
    "its rows are taken": (Writer, "of_lines", True),
    "its parts have their names": (places, "_drafted", False),
    "its manifest is written": (places, "_drafted", True),
    "its manifest has its name": (Places, "keep", True),
    "its registration is kept": (Registrations, "_keep", True),
}
"""By name: a function, and whether it is done before the process is killed."""


def kill_at(owner: Any, name: str, *, is_done: bool) -> None:
    work: Callable[..., Any] = getattr(owner, name)

    def killed(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if asyncio.iscoroutinefunction(work):

        async def waited(*given: Any, **named: Any) -> None:
            await work(*given, **named)
            killed()

        setattr(owner, name, waited)
        return

    def done(*given: Any, **named: Any) -> None:
        if is_done:
            work(*given, **named)
        killed()

    setattr(owner, name, done)


async def main(state_dir: Path, work: str, point: str) -> None:
    async with serving(RUN, state_dir) as served:
        owner, name, is_done = POINTS[point]
        kill_at(owner, name, is_done=is_done)
        if work == "append":
            await append(served, [{"number": 3}])
        else:
            await registered(served, [{"number": number} for number in range(3)])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
