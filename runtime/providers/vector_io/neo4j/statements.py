"""What Neo4j is asked, from version 5.18 on, in both versions of its language.

https://neo4j.com/docs/cypher-manual/current/indexes/semantic-indexes/vector-indexes (read November 2026)
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Statements:
    """For one prefix of labels. A collection is a node with the label of its vectors, which no other one ever has: what
    a removal leaves that was broken off is found by nobody.
    """

    prefix: str

    @property
    def registry(self) -> str:
        return f"{self.prefix}Collection"

    def name_is_unique(self) -> str:
        """The constraint by which two that make a collection at once make one."""
        return f"CREATE CONSTRAINT {self.registry}_name IF NOT EXISTS FOR (c:{self.registry}) REQUIRE c.name IS UNIQUE"

    def find(self) -> str:
        return f"MATCH (c:{self.registry} {{name: $name}}) RETURN c.label AS label, c.dimension AS dimension"

    def prepare(self, label: str, dimension: int) -> tuple[str, ...]:
        """The indexes of a label."""
        config = f"`vector.dimensions`: {dimension}, `vector.similarity_function`: 'cosine'"
        return (
            f"CREATE CONSTRAINT {label}_number IF NOT EXISTS FOR (n:{label}) REQUIRE n.number IS UNIQUE",
            f"CREATE INDEX {label}_group IF NOT EXISTS FOR (n:{label}) ON (n.in_group)",
            f"CREATE VECTOR INDEX {label}_vector IF NOT EXISTS FOR (n:{label}) ON (n.vector)"
            f" OPTIONS {{indexConfig: {{{config}}}}}",
            f"CALL db.awaitIndex('{label}_vector', 300)",
        )

    def register(self) -> str:
        """The label that counts: of whoever was first."""
        return (
            f"MERGE (c:{self.registry} {{name: $name}})"
            " ON CREATE SET c.label = $label, c.dimension = $dimension RETURN c.label AS label"
        )

    def forget(self) -> str:
        return f"MATCH (c:{self.registry} {{name: $name, label: $label}}) DELETE c"

    def clear(self, label: str) -> tuple[str, ...]:
        """Remove the indexes of a label."""
        return (
            f"DROP INDEX {label}_vector IF EXISTS",
            f"DROP INDEX {label}_group IF EXISTS",
            f"DROP CONSTRAINT {label}_number IF EXISTS",
        )

    def put(self, label: str) -> str:
        """Nothing if the collection has been removed meanwhile."""
        return (
            f"MATCH (c:{self.registry} {{name: $name, label: $label}}) UNWIND $rows AS row"
            f" MERGE (n:{label} {{number: row.number}}) SET n.in_group = row.in_group, n.vector = row.vector"
            " RETURN count(n) AS done"
        )

    def remove(self, label: str) -> str:
        return f"MATCH (n:{label}) WHERE n.in_group IN $groups WITH n LIMIT $most DELETE n RETURN count(*) AS done"

    def remove_all(self, label: str) -> str:
        return f"MATCH (n:{label}) WITH n LIMIT $most DELETE n RETURN count(*) AS done"

    def search(self, label: str) -> str:
        """By the index. The scores are (1 + cosine) / 2."""
        return (
            f"CALL db.index.vector.queryNodes('{label}_vector', $candidates, $vector) YIELD node, score"
            " RETURN node.number AS number, score ORDER BY score DESC LIMIT $most"
        )

    def compare(self, label: str) -> str:
        """With every vector of some groups: the index knows none. The same scores."""
        return (
            f"MATCH (n:{label}) WHERE n.in_group IN $groups"
            " WITH n, vector.similarity.cosine(n.vector, $vector) AS score"
            " RETURN n.number AS number, score ORDER BY score DESC LIMIT $most"
        )

    def read(self, label: str) -> str:
        return f"MATCH (n:{label}) WHERE n.number IN $numbers RETURN n.number AS number, n.vector AS vector"
