"""Which copies from before a migration are dropped after the next one."""

from __future__ import annotations

from runtime.storage.sql.migrations import Copy, passed
from runtime.storage.sql.tables import Schema


def test_the_copy_just_made_stays_where_newer_versions_have_copies() -> None:
    """After a database was brought back from a backup, and an older release migrates it."""
    names = [f"before_jobs_{version}_20260101_000000_abcd" for version in (4, 5, 6)]
    copies = [copy for name in names if (copy := Copy.named(name, of="", size_bytes=None))]
    assert len(copies) == len(names)
    assert passed(copies, Schema(name="jobs", tables=(), migrations=((),) * 3)) == []
