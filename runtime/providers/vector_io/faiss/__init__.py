"""FAISS: exact search in memory, with what it knows in files of ours. https://faiss.ai"""

from runtime.spec import inline, live

SPEC = inline(
    "faiss",
    summary="FAISS: exact search in memory, kept in files",
    adapter=".adapter:embedded_faiss",
    config=".config:FaissConfig",
    packages=("faiss-cpu>=1.10", "numpy>=1.26"),
    aliases=("inline::meta-reference", "inline::builtin"),
    sample_config={"db_path": "${env.FAISS_PATH:=}"},
    evidence=live(
        "the library itself, a process that is killed, files that end too early, and 10,000 vectors against"
        " the exact answer"
    ),
)
