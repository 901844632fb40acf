"""Settings of containers: what their code may take."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from runtime.apis.containers.limits import MAX_FILE_BYTES, MemoryLimit
from runtime.storage.placement import SqlReference


class BubblewrapConfig(BaseModel):
    """Bounds of each container, and of all together."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    metadata_store: SqlReference | None = Field(
        None, description="The tables of what is known about containers. The default is the store `containers`."
    )
    memory_limit: MemoryLimit = Field(
        "1g", description="How much memory the code of a container may take that does not say. The default is `1g`."
    )
    max_memory_limit: MemoryLimit = Field("4g", description="The most that one may ask for. The default is `4g`.")
    run_timeout_s: float = Field(
        60.0, gt=0, le=3600, description="How long one piece of code may run, in seconds. The default is 60."
    )
    run_cpu_s: float = Field(
        120.0,
        gt=0,
        description="How much processor time one piece of code may take, on all cores, in seconds. The default is 120.",
    )
    disk_bytes: int = Field(
        1024**3, ge=1024**2, description="The most that a container's files may take, in bytes. The default is 1 GiB."
    )
    max_files: int = Field(10_000, ge=1, description="The most files and folders of a container. The default is 10000.")
    max_file_bytes: int = Field(
        MAX_FILE_BYTES,
        ge=1,
        le=MAX_FILE_BYTES,
        description="The largest file that may be put into a container, in bytes. The default is 512 MiB.",
    )
    max_processes: int = Field(
        64, ge=4, le=4096, description="The most processes and threads of a container. The default is 64."
    )
    log_bytes: int = Field(
        128 * 1024, ge=1024, le=4 * 1024**2, description="How much of a run's output is kept. The default is 128 KiB."
    )
    flood_bytes: int = Field(
        32 * 1024**2, ge=1024, description="After how much output a run is ended, in bytes. The default is 32 MiB."
    )
    max_running: int = Field(
        8,
        ge=1,
        description="How many containers have a process at once; that of the one that has been idle the longest ends"
        " for another. The default is 8.",
    )
    wait_s: float = Field(
        30.0, ge=0, description="How long code waits while all of these run some, in seconds. The default is 30."
    )
    idle_s: float = Field(
        300.0, gt=0, description="After how long an idle process ends, in seconds; files stay. The default is 300."
    )
