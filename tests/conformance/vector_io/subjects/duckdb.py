"""DuckDB, in a folder."""

from tests.conformance.vector_io.subject import embedded

KIND = embedded("inline::duckdb")
