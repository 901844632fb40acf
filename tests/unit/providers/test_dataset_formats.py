"""Files of rows as they are read, without a database."""

from __future__ import annotations

import io

import pytest

from runtime.errors import RequestError
from runtime.providers.datasetio.localfs import csv_rows
from runtime.providers.datasetio.localfs.csv_rows import CsvRows


def test_a_line_is_not_read_further_than_a_line_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "_MOST_OF_A_LINE", 1000)
    opened = io.BytesIO(b"a,b\n1,2\n" + b"x" * 10_000_000)
    with pytest.raises(RequestError, match="line 3 has more than 1000 characters"):
        CsvRows(lambda: opened).columns()


def test_a_value_may_have_several_lines() -> None:
    rows = CsvRows(lambda: io.BytesIO(b'a,b\r\n"1\r\n2",3\r\n'))
    assert list(rows.lines(rows.columns())) == [b'{"c0":"1\\r\\n2","c1":3}\n']
