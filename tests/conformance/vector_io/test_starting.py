"""What a vector database costs before it is used: nothing of its library."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.conformance.vector_io.subject import found

_SCRIPT = """
import json, sys
from pathlib import Path
from runtime.conformance.vector_io.subject import adapter
from tests.conformance.vector_io.subject import built_in
for kind in json.loads(sys.argv[1]):
    adapter(built_in(kind), {}, Path("not made"))
print(json.dumps([*{name.partition(".")[0] for name in sys.modules}]))
"""
_HEAVY = {
    "apsw", "chromadb", "chromadb_rust_bindings", "duckdb", "faiss", "milvus_lite", "numpy", "onnxruntime", "pymilvus",
    "qdrant_edge", "sqlite_vec",
}  # fmt: skip


def test_no_library_of_a_database_is_imported_before_it_is_used() -> None:
    kinds = [kind.spec.provider_type for kind in found().values() if "alone" in kind.abilities]
    command = [sys.executable, "-c", _SCRIPT, json.dumps(kinds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "runtime" in json.loads(done.stdout)
    assert not _HEAVY & {*json.loads(done.stdout)}
