"""DuckDB: exact search over arrays in its own file, without an extension. https://duckdb.org"""

from runtime.spec import inline, live

SPEC = inline(
    "duckdb",
    summary="DuckDB: exact search over arrays in a file",
    adapter=".adapter:embedded_duckdb",
    config=".config:DuckDbConfig",
    packages=("duckdb>=1.4", "numpy>=1.26", "pyarrow>=17"),
    sample_config={"db_path": "${env.DUCKDB_VECTORS_PATH:=}"},
    evidence=live("the library itself, a process that is killed, and 10,000 vectors against the exact answer"),
)
