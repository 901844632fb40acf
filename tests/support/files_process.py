"""A process that keeps a file in a folder and kills itself on the way, or while it removes what another one has left.

    python -m tests.support.files_process STATE_DIR POINT        POINT: a name of POINTS

It ends by SIGKILL at that point, and with status 0 if it never comes there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.conformance.files.subject import upload
from runtime.conformance.stacks import adapter_of, run_config, serving
from runtime.providers.files._shared.begun import Begun
from runtime.providers.files._shared.folder import Folder
from runtime.providers.files._shared.holder import Holder

RUN = run_config(
    providers={"inference": [], "files": [{"provider_id": "files", "provider_type": "inline::localfs"}]},
    persistent=True,
)
POINTS: dict[str, tuple[type, str, bool]] = {
    "an id is reserved": (Folder, "put", False),
    "its bytes are written": (Folder, "put", True),
    "its row is written": (Begun, "settle", False),
    "what a killed process had begun has expired": (Holder, "forget", False),
    "its bytes are removed": (Folder, "remove", True),
}
"""By name: a method, and whether it is done before the process is killed."""


def kill_at(owner: type, name: str, *, is_done: bool) -> None:
    method: Callable[..., Any] = getattr(owner, name)

    async def done(self: Any, *given: Any) -> None:
        await method(self, *given)
        os.kill(os.getpid(), signal.SIGKILL)

    def undone(self: Any, *given: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, done if is_done else undone)


async def main(state_dir: Path, point: str) -> None:
    owner, name, is_done = POINTS[point]
    kill_at(owner, name, is_done=is_done)
    async with serving(RUN, state_dir) as served:
        await adapter_of(served.stack, "files").collect_now()
        await upload(served, b"x" * 10_000)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
