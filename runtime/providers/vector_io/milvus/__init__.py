"""Milvus, which runs beside this process or as a server. https://milvus.io/docs"""

from runtime.spec import inline, live, remote, wire

SPECS = (
    inline(
        "milvus",
        summary="Milvus Lite beside this process: exact search in a file",
        adapter=".adapter:embedded_milvus",
        config=".config:MilvusConfig",
        # Lite 3 runs in Python: a search of 20,000 vectors takes 0.1 s, during which the server can do nothing else.
        # 2.5 is a program of its own, whose module needs `pkg_resources`.
        packages=("pymilvus>=3.0.1", "milvus-lite>=2.5.1,<3.0", "setuptools>=70,<81", "numpy>=1.26"),
        enabled_by="MILVUS_DB_PATH",
        sample_config={"db_path": "${env.MILVUS_DB_PATH:=}"},
        evidence=live("the program itself, a process that is killed, and 10,000 vectors against the exact answer"),
    ),
    remote(
        "milvus",
        summary="A Milvus server: an approximate index",
        adapter=".server:remote_milvus",
        over_http=False,
        config=".config:MilvusServerConfig",
        packages=("pymilvus>=3.0.1", "numpy>=1.26"),
        enabled_by="MILVUS_ENDPOINT",
        sample_config={"uri": "${env.MILVUS_ENDPOINT:=http://localhost:19530}", "token": "${env.MILVUS_TOKEN:=}"},
        evidence=wire(
            "Milvus Lite behind an address, which has a server's API, and 10,000 vectors against the exact answer"
        ),
    ),
)
