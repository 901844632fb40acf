"""One run of code in a container: its process, its bounds, and what it leaves in the folder."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from runtime.apis.containers.running import CodeRun
from runtime.errors import Unavailable
from runtime.provider import Tasks
from runtime.providers.containers.bubblewrap.config import BubblewrapConfig
from runtime.providers.containers.bubblewrap.files import ContainerFiles, file_of, shown
from runtime.providers.containers.bubblewrap.folder import Folder
from runtime.providers.containers.bubblewrap.isolating import Isolating
from runtime.providers.containers.bubblewrap.isolation import WARM_UP, Isolation
from runtime.providers.containers.bubblewrap.process import Limits, Process, kill
from runtime.providers.containers.bubblewrap.processes import Processes
from runtime.storage.sql import Row

log = logging.getLogger(__name__)
_MOST_FILES = 200
"""Of files that are told of; all are listed."""
_CUT = "\n[the rest of the output is left out]\n"


class Running:
    """state_dir: the provider's."""

    def __init__(
        self, config: BubblewrapConfig, state_dir: Path, tasks: Tasks, files: ContainerFiles, processes: Processes
    ) -> None:
        self._config = config
        self._bytecode = Folder(state_dir / "bytecode")
        self._tasks = tasks
        self._files = files
        self._processes = processes
        self._is_warm = False
        self.isolating = Isolating()

    async def prepare(self, folder: Folder) -> None:
        """Raises Unavailable if it cannot be made."""
        try:
            await asyncio.to_thread(folder.make)
        except OSError as error:
            raise Unavailable(
                f"The folder `{folder.path}` of a container cannot be made: {error.strerror}",
                hint="check the disk and the permissions of the server's state folder",
                code="storage_unavailable",
            ) from error

    async def run(
        self, container_id: str, folder: Folder, code: str, timeout_s: float | None, *, memory_bytes: int
    ) -> CodeRun:
        """Raises NotSupported, RateLimited, Unavailable, NotFound for a container that is deleted meanwhile."""
        isolation = await self.isolating.found()
        await self._warm(isolation)
        most_s = self._config.run_timeout_s

        async def start() -> Process:
            command = isolation.command(folder.data, folder.tree, self._bytecode.data)
            return await Process.started(command, self._limits(memory_bytes))

        async with self._processes.alone(container_id) as slot:
            await self._files.follow(container_id, folder, source="user")
            kept = await self._files.places(container_id)
            ran, is_fresh = await self._processes.run(slot, start, code, min(timeout_s or most_s, most_s))
            if ran.limit == "disk":
                bounds = {"disk_bytes": self._config.disk_bytes, "max_files": self._config.max_files}
                await asyncio.to_thread(folder.make_room, kept, **bounds)
            changed = await self._files.follow(container_id, folder)
        figures = {*(ran.figures or ())}
        return CodeRun(
            logs=ran.logs + (_CUT if ran.is_cut else ""),
            images=[file_of(row) for row in changed if _is_figure(row, figures)][:_MOST_FILES],
            files=[file_of(row) for row in changed[:_MOST_FILES]],
            error=ran.error,
            limit=ran.limit,
            is_fresh=is_fresh,
        )

    def _limits(self, memory_bytes: int) -> Limits:
        config = self._config
        return Limits(
            cpu_s=config.run_cpu_s,
            memory_bytes=memory_bytes,
            disk_bytes=config.disk_bytes,
            files=config.max_files,
            processes=config.max_processes,
            log_bytes=config.log_bytes,
            flood_bytes=config.flood_bytes,
        )

    async def _warm(self, isolation: Isolation) -> None:
        """Compile packages, beside the first run of this server."""
        if not self._is_warm:
            self._is_warm = True
            await self.prepare(self._bytecode)
            self._tasks.spawn(self._compile(isolation), name="compile the packages of containers")

    async def _compile(self, isolation: Isolation) -> None:
        command = isolation.command(self._bytecode.data, self._bytecode.tree, code=WARM_UP)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={},
                cwd="/",
            )
        except OSError as error:
            log.warning("packages of containers cannot be compiled", extra={"error": str(error)})
            return
        try:
            _, said = await process.communicate()
        except BaseException:
            kill(process)
            await process.wait()
            raise
        if process.returncode != 0:
            words = said.decode(errors="replace").strip().splitlines()
            log.warning("packages of containers cannot be compiled", extra={"error": words[-1] if words else ""})


def _is_figure(row: Row, figures: set[str]) -> bool:
    return shown(row["place"]) in figures
