"""Vectors in a PostgreSQL database, over connections as the storage has them."""

from __future__ import annotations

from runtime.provider import ProviderContext
from runtime.providers.vector_io._shared.remote import RemoteVectors
from runtime.providers.vector_io.pgvector.config import PgVectorConfig
from runtime.providers.vector_io.pgvector.server import PgVectorServer


def remote_pgvector(config: PgVectorConfig, context: ProviderContext) -> RemoteVectors:
    """Collections of a database; the first request connects."""
    server = PgVectorServer(config)
    return RemoteVectors(context, server, stop=server.close)
