"""A process that puts vectors for ever and says after each call what it was told is kept, to be killed.

python -m runtime.conformance.vector_io.killed SPEC CONFIG FOLDER, the first two as JSON
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.conformance.vector_io.asking import Asked, drawn, numbered
from runtime.conformance.vector_io.subject import Subject, adapter
from runtime.spec import Spec

DIMENSION = 16
AT_ONCE = 50
_LOADED_BY = ("provider_type", "summary", "adapter", "config", "api", "module")


def command(subject: Subject, folder: Path) -> list[str]:
    """What starts it."""
    spec = {name: getattr(subject.spec, name) for name in _LOADED_BY}
    config = dict(subject.config(folder))
    return [sys.executable, "-m", __name__, json.dumps(spec), json.dumps(config), str(folder)]


async def put_for_ever(spec: Spec, config: Mapping[str, Any], folder: Path) -> None:
    """Never returns."""
    vectors = Asked(adapter(spec, config, folder))
    await vectors.create(DIMENSION)
    group = 0
    while True:
        await vectors.put(numbered(group, AT_ONCE), drawn(AT_ONCE, DIMENSION, seed=group))
        if group % 5 == 4:
            await vectors.remove(group - 2)
        print(group, flush=True)
        group += 1


if __name__ == "__main__":
    asyncio.run(put_for_ever(Spec(**json.loads(sys.argv[1])), json.loads(sys.argv[2]), Path(sys.argv[3])))
