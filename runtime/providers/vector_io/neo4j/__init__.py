"""Neo4j: vectors on the nodes of a graph database. https://neo4j.com/docs/cypher-manual/current/indexes/semantic-indexes"""

from runtime.spec import NoEffect, remote, unproven

SPEC = remote(
    "neo4j",
    summary="Neo4j: an approximate index of a graph database",
    adapter=".server:remote_neo4j",
    over_http=False,
    config=".config:Neo4jConfig",
    packages=("neo4j>=5.28",),
    enabled_by="NEO4J_URI",
    older=dict.fromkeys(  # 1.5
        (
            "graph_retrieval_enabled",
            "graph_expansion_depth",
            "graph_max_neighbors",
            "graph_expansion_weight",
            "graph_relationship_types",
        ),
        NoEffect("vectors have no relations: each is found for itself"),
    ),
    sample_config={
        "uri": "${env.NEO4J_URI:=bolt://localhost:7687}",
        "user": "${env.NEO4J_USER:=neo4j}",
        "password": "${env.NEO4J_PASSWORD:=}",
    },
    evidence=unproven(
        "its statements and what they are given are tested with a driver that only notes them: no package has"
        " the server"
    ),
)
