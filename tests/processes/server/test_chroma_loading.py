"""Chroma is loaded in a thread, while others may load numpy: neither may get half of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_LIMIT_S = 120
_PROGRAM = """
import sys
from pathlib import Path
from types import SimpleNamespace
from runtime.providers.vector_io.chromadb.adapter import embedded_chroma
from runtime.providers.vector_io.chromadb.config import ChromaConfig

asked = []
sys.addaudithook(lambda event, about: asked.append(about[0]) if event == "import" else None)
context = SimpleNamespace(provider_id="chroma", state_dir=Path(sys.argv[1]))
embedded_chroma(ChromaConfig(), context)._opened().close()
print(*[name for name in asked if name.split(".")[0] in ("numpy", "chromadb")][:2])
"""


def test_numpy_is_whole_before_chroma_asks_for_a_part_of_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], check=True, text=True, stdout=subprocess.PIPE, timeout=_LIMIT_S
    )
    assert done.stdout.split()[0] == "numpy"
