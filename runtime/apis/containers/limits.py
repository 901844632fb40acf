"""How large containers and their files may be. Imports nothing, since configs read it."""

from __future__ import annotations

from typing import Literal

MemoryLimit = Literal["1g", "4g", "16g", "64g"]
MAX_FILE_BYTES = 512 * 1024**2
"""The largest file that can be put into a container."""
