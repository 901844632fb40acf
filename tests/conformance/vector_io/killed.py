"""A process that puts vectors for ever and says after each call what it was told is kept, to be killed.

python -m tests.conformance.vector_io.killed SUBJECT FOLDER
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.conformance.vector_io.asking import Asked, drawn, numbered
from tests.conformance.vector_io.subject import found

DIMENSION = 16
AT_ONCE = 50


async def main(kind: str, folder: Path) -> None:
    with found()[kind].start(folder) as subject:
        vectors = Asked(subject.open(folder))
        await vectors.create(DIMENSION)
        group = 0
        while True:
            await vectors.put(numbered(group, AT_ONCE), drawn(AT_ONCE, DIMENSION, seed=group))
            if group % 5 == 4:
                await vectors.remove(group - 2)
            print(group, flush=True)
            group += 1


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
