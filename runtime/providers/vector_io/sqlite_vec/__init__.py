"""sqlite-vec: vectors in a SQLite file. https://alexgarcia.xyz/sqlite-vec"""

from runtime.spec import inline, live

SPEC = inline(
    "sqlite-vec",
    summary="sqlite-vec: exact search in a SQLite file",
    adapter=".adapter:embedded_sqlite_vec",
    config=".config:SqliteVecConfig",
    packages=("apsw>=3.46", "sqlite-vec>=0.1.9"),
    aliases=("inline::sqlite_vec",),
    sample_config={"db_path": "${env.SQLITE_VEC_PATH:=}"},
    evidence=live("the library itself, a process that is killed, and 10,000 vectors against the exact answer"),
)
