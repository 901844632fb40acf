"""What an Oracle database is asked. Lists of numbers are bound as `SYS.ODCINUMBERLIST`, which has 32,767 at most.

https://docs.oracle.com/en/database/oracle/oracle-database/23/vecse (read November 2026)
"""

from __future__ import annotations

_AMONG = "IN (SELECT column_value FROM TABLE(:among))"
DIMENSION = "SELECT embedding FROM {table} WHERE 1 = 0"
"""Of which the driver describes the column."""
CREATE = (
    "CREATE TABLE IF NOT EXISTS {table} (num NUMBER(19) PRIMARY KEY, in_group NUMBER(19) NOT NULL,"
    " embedding VECTOR({dimension}, {datatype}) NOT NULL)",
    "CREATE INDEX IF NOT EXISTS {table}_group ON {table} (in_group)",
)
DROP = "DROP TABLE {table} PURGE"
DELETE = "DELETE FROM {table} WHERE num = :1"  # ours
INSERT = "INSERT INTO {table} (num, in_group, embedding) VALUES (:1, :2, :3)"  # ours
REMOVE = f"DELETE FROM {{table}} WHERE in_group {_AMONG}"  # noqa: S608  # ours
READ = f"SELECT num, embedding FROM {{table}} WHERE num {_AMONG}"  # noqa: S608  # ours
SEARCH = (
    "SELECT num, VECTOR_DISTANCE(embedding, :near, COSINE) AS far FROM {table}"  # ours
    " ORDER BY far FETCH APPROX FIRST {limit} ROWS ONLY"
)
"""By a vector index, if the table has one; otherwise with every vector."""
COMPARE = (
    "SELECT num, VECTOR_DISTANCE(embedding, :near, COSINE) AS far FROM {table}"  # noqa: S608  # ours
    f" WHERE in_group {_AMONG} ORDER BY far FETCH EXACT FIRST {{limit}} ROWS ONLY"
)
"""With every vector of some groups."""


def table_of(name: str) -> str:
    """Of a collection; its name has nothing that would need quotes but words of SQL, which none begins like."""
    return f"llama_{name}"
