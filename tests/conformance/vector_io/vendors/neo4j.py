"""Neo4j's driver as far as it is called, over an exact search: no small server speaks the database's protocol.

It knows statements by their text alone: whether they are right Cypher only Neo4j can say.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from tests.conformance.vector_io.wire import Rows, expect

_LABEL = re.compile("ogx_[0-9a-f]{16}")
_MOST = 4096
_VECTOR_INDEX = re.compile(
    r"CREATE VECTOR INDEX LABEL_vector IF NOT EXISTS FOR \(n:LABEL\) ON \(n.vector\)"
    r" OPTIONS {indexConfig: {`vector.dimensions`: (\d+), `vector.similarity_function`: 'cosine'}}"
)
_WITHOUT_EFFECT = {
    "CREATE CONSTRAINT ogxCollection_name IF NOT EXISTS FOR (c:ogxCollection) REQUIRE c.name IS UNIQUE",
    "CREATE CONSTRAINT LABEL_number IF NOT EXISTS FOR (n:LABEL) REQUIRE n.number IS UNIQUE",
    "CREATE INDEX LABEL_group IF NOT EXISTS FOR (n:LABEL) ON (n.in_group)",
    "CALL db.awaitIndex('LABEL_vector', 300)",
    "DROP INDEX LABEL_group IF EXISTS",
    "DROP CONSTRAINT LABEL_number IF EXISTS",
}


class Refusal(Exception):
    """Neo4jError."""


class Neo4j:
    """The package, and the driver that it makes."""

    def __init__(self) -> None:
        self.exceptions = SimpleNamespace(Neo4jError=Refusal, DriverError=Refusal)
        self.AsyncGraphDatabase = SimpleNamespace(driver=self._driver)
        self.asked: list[str] = []
        self.is_down = False
        self._collections: dict[str, tuple[str, int]] = {}
        self._labels: dict[str, Rows] = {}
        self._answers = {
            "MATCH (n:LABEL) WHERE n.number IN $numbers RETURN n.number AS number, n.vector AS vector": self._read,
            "MATCH (n:LABEL) WHERE n.in_group IN $groups WITH n LIMIT $most DELETE n"
            " RETURN count(*) AS done": self._remove,
            "MATCH (n:LABEL) WITH n LIMIT $most DELETE n RETURN count(*) AS done": self._remove_all,
            "MATCH (n:LABEL) WHERE n.in_group IN $groups WITH n, vector.similarity.cosine(n.vector, $vector) AS score"
            " RETURN n.number AS number, score ORDER BY score DESC LIMIT $most": self._compare,
            "CALL db.index.vector.queryNodes('LABEL_vector', $candidates, $vector) YIELD node, score"
            " RETURN node.number AS number, score ORDER BY score DESC LIMIT $most": self._search,
            "MATCH (c:ogxCollection {name: $name, label: $label}) UNWIND $rows AS row"
            " MERGE (n:LABEL {number: row.number}) SET n.in_group = row.in_group, n.vector = row.vector"
            " RETURN count(n) AS done": self._put,
            "DROP INDEX LABEL_vector IF EXISTS": self._drop,
        }

    def _driver(self, uri: str, **settings: Any) -> Any:
        expect(uri == "bolt://127.0.0.1:7687" and settings["auth"] == ("neo4j", "secret"), "where and who")
        return SimpleNamespace(execute_query=self._execute, close=self._close)

    async def _close(self) -> None: ...

    async def _execute(self, statement: str, values: dict[str, Any], *, database_: str) -> Any:
        expect(database_ == "neo4j", "the database")
        self.asked.append(statement)
        if self.is_down:
            raise Refusal("Couldn't connect to 127.0.0.1:7687:\n(reason [Errno 111] Connection refused)")
        return SimpleNamespace(records=self._records(statement, values))

    def _records(self, statement: str, values: dict[str, Any]) -> Any:
        match statement:
            case "MATCH (c:ogxCollection {name: $name}) RETURN c.label AS label, c.dimension AS dimension":
                found = self._collections.get(values["name"])
                return [] if found is None else [{"label": found[0], "dimension": found[1]}]
            case (
                "MERGE (c:ogxCollection {name: $name}) ON CREATE SET c.label = $label, c.dimension = $dimension"
                " RETURN c.label AS label"
            ):
                made = (values["label"], values["dimension"])
                return [{"label": self._collections.setdefault(values["name"], made)[0]}]
            case "MATCH (c:ogxCollection {name: $name, label: $label}) DELETE c":
                if self._is_there(values):
                    del self._collections[values["name"]]
                return []
        label, text = next(iter(_LABEL.findall(statement)), ""), _LABEL.sub("LABEL", statement)
        if index := _VECTOR_INDEX.fullmatch(text):
            expect(1 <= int(index[1]) <= _MOST, "the dimensions")
            self._labels[label] = Rows(int(index[1]))
            return []
        return [] if text in _WITHOUT_EFFECT else self._answers[text](label, values)

    def _is_there(self, values: dict[str, Any]) -> bool:
        return self._collections.get(values["name"], ("", 0))[0] == values["label"]

    def _put(self, label: str, values: dict[str, Any]) -> Any:
        if not self._is_there(values):
            return [{"done": 0}]
        for row in values["rows"]:
            self._labels[label].put(row["number"], row["in_group"], row["vector"])
        return [{"done": len(values["rows"])}]

    def _remove(self, label: str, values: dict[str, Any]) -> Any:
        return [{"done": self._labels[label].remove({*values["groups"]}, most=values["most"])}]

    def _remove_all(self, label: str, values: dict[str, Any]) -> Any:
        return [{"done": self._labels[label].remove(None, most=values["most"])}]

    def _search(self, label: str, values: dict[str, Any]) -> Any:
        if label not in self._labels:
            raise Refusal(f"There is no such vector schema index: {label}_vector")
        expect(values["candidates"] >= values["most"], "candidates")
        return _scored(self._labels[label].search(values["vector"], values["most"], None))

    def _compare(self, label: str, values: dict[str, Any]) -> Any:
        rows = self._labels.get(label)
        return _scored(rows.search(values["vector"], values["most"], {*values["groups"]}) if rows else [])

    def _read(self, label: str, values: dict[str, Any]) -> Any:
        return [{"number": number, "vector": row} for number, _, row in self._labels[label].read(values["numbers"])]

    def _drop(self, label: str, values: dict[str, Any]) -> Any:
        self._labels.pop(label, None)
        return []


def _scored(found: list[tuple[int, float]]) -> Any:
    return [{"number": number, "score": (1 + cosine) / 2} for number, cosine in found]
