"""pgvector: vectors in a PostgreSQL database. https://github.com/pgvector/pgvector"""

from runtime.spec import NoEffect, live, remote

SPEC = remote(
    "pgvector",
    summary="pgvector: vectors in a PostgreSQL database",
    adapter=".adapter:remote_pgvector",
    over_http=False,
    config=".config:PgVectorConfig",
    packages=("asyncpg>=0.30",),
    enabled_by="PGVECTOR_DB",
    older={
        "distance_metric": NoEffect("vectors have length 1, and are compared by their cosine"),
        "command_timeout": NoEffect("a statement may take 60 s"),
    },
    sample_config={
        "host": "${env.PGVECTOR_HOST:=localhost}",
        "port": "${env.PGVECTOR_PORT:=5432}",
        "db": "${env.PGVECTOR_DB:=}",
        "user": "${env.PGVECTOR_USER:=}",
        "password": "${env.PGVECTOR_PASSWORD:=}",
    },
    evidence=live(
        "a real PostgreSQL with pgvector 0.6, and 10,000 vectors against the exact answer; what only 0.8"
        " can was tried by hand"
    ),
)
