"""Tables that are added to and summed up: usage, traces, datasets, results of evaluations. In DuckDB, and nowhere else.

    self._usage = context.storage.analytics(USAGE)                         # once, in a constructor
    await self._usage.append(USAGE, [{"at": wall_time(), "model": ...}])   # on disk when it returns
    found = await self._usage.query("SELECT model, sum(tokens) FROM usage GROUP BY model")

The server has the file open, and DuckDB lets no other process open it meanwhile, not even to read it. So another
process asks the server, at a socket beside the file (`door.py`, `asked.py`); it opens the file itself only while no
server runs. (The other way, segments in Parquet that are closed from time to time, would keep the newest rows from
others.)

Nothing here imports DuckDB but `database.py`, which is imported at first use, with what that imports. A
spec whose adapter uses it has `duckdb>=1.4` among its packages; `storage.analytics` of a run config adds it too. Tables
that age stand in the spec's or the API's `analytics`, so that `storage.retention` can name them.
"""
