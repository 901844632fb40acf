"""Which rows: conditions as SQL with `?` for each value, built from parts that SQLite and PostgreSQL share.

`@contains(...)` and `@json_equals(...)` stand for what the two write differently; `dialects.py` replaces them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runtime.access import Caller, User, sees_all
from runtime.storage.sql.tables import OWNER, OWNER_GROUPS


@dataclass(frozen=True, slots=True)
class Condition:
    """sql: with `?` for each of `values`, in order. entries: what JSON columns of every such row have, as
    (column, key, value).
    """

    sql: str
    values: tuple[Any, ...] = ()
    entries: tuple[tuple[str, str, str], ...] = ()

    def __and__(self, other: Condition) -> Condition:
        return every([self, other])

    def __or__(self, other: Condition) -> Condition:
        return either([self, other])


ALL = Condition("")
"""Every row."""
_NOTHING = Condition("1 = 0")


def eq(column: str, value: Any) -> Condition:
    """`column` has this value; with None, it has none."""
    return Condition(f"{column} IS NULL") if value is None else Condition(f"{column} = ?", (value,))


def below(column: str, value: Any) -> Condition:
    return Condition(f"{column} < ?", (value,))


def above(column: str, value: Any) -> Condition:
    return Condition(f"{column} > ?", (value,))


def at_most(column: str, value: Any) -> Condition:
    return Condition(f"{column} <= ?", (value,))


def one_of(column: str, values: Sequence[Any]) -> Condition:
    """`column` has one of these values; for no values, no row."""
    if not values:
        return _NOTHING
    return Condition(f"{column} IN ({', '.join('?' * len(values))})", tuple(values))


def contains(column: str, text: str) -> Condition:
    """The text in `column` has this text in it; case matters."""
    return Condition(f"@contains({column}, ?)", (text,))


def has_entries(column: str, entries: Mapping[str, str]) -> Condition:
    """The JSON object in `column` has each of these entries, whose values are strings."""
    equals = f"@json_equals({column}, ?, ?)"
    return every(Condition(equals, entry, ((column, *entry),)) for entry in entries.items())


def before_or_at(columns: Sequence[str], values: Sequence[Any], operator: str) -> Condition:
    """The row value of `columns` compared with `values`, as `(a, b) < (?, ?)`. operator: of SQL."""
    places = ", ".join("?" * len(values))
    return Condition(f"({', '.join(columns)}) {operator} ({places})", tuple(values))


def every(conditions: Iterable[Condition]) -> Condition:
    """All of them hold; ALL for none."""
    parts = [condition for condition in conditions if condition.sql]
    joined = _joined(" AND ", parts)
    entries = [entry for part in parts for entry in part.entries]
    return replace(joined, entries=tuple(entries)) if entries else joined


def either(conditions: Sequence[Condition]) -> Condition:
    """At least one of them holds; for none, no row."""
    if not conditions:
        return _NOTHING
    return ALL if any(not condition.sql for condition in conditions) else _joined(" OR ", conditions)


def _joined(word: str, conditions: Sequence[Condition]) -> Condition:
    if len(conditions) < 2:
        return conditions[0] if conditions else ALL
    values = tuple(value for condition in conditions for value in condition.values)
    return Condition(f"({word.join(condition.sql for condition in conditions)})", values)


def visible_to(user: Caller, table: str = "") -> Condition:
    """The rows that a user may see: the rule of `runtime.access.may_see`, as SQL. table: its quoted name and a `.`,
    where columns need it.
    """
    if sees_all(user):
        return ALL
    if not isinstance(user, User):
        return eq(table + OWNER, None)
    groups = [contains(table + OWNER_GROUPS, group) for group in _groups(user)]
    return either([eq(table + OWNER, None), eq(table + OWNER, user.principal), *groups])


def visible_parts(user: Caller, owner: str = OWNER) -> list[Condition]:
    """The same rows in parts that have none in common: of nobody, the user's own, and of those with whom a group is
    shared. owner: the column with the owner.
    """
    if not isinstance(user, User):
        return [visible_to(user)]
    parts = [eq(owner, None), eq(owner, user.principal)]
    groups = [contains(OWNER_GROUPS, group) for group in _groups(user)]
    return [*parts, either(groups) & Condition(f"{owner} <> ?", (user.principal,))] if groups else parts


def owned_by(user: Caller) -> dict[str, str | None]:
    """The values of a new row's owner columns. Each attribute is a line of its own in `owner_groups`, between two line
    feeds, so that `@contains` finds whole ones.
    """
    if not isinstance(user, User):
        return {OWNER: None, OWNER_GROUPS: None}
    groups = "".join(group[1:] for group in _groups(user))
    return {OWNER: user.principal, OWNER_GROUPS: f"\n{groups}" if groups else None}


def owner_of(row: Mapping[str, Any]) -> User | None:
    """The owner of a row that was read with its owner columns."""
    if row[OWNER] is None:
        return None
    attributes: dict[str, tuple[str, ...]] = {}
    for line in (row[OWNER_GROUPS] or "").split("\n"):
        category, equals, value = line.partition("=")
        if equals:
            attributes[category] = (*attributes.get(category, ()), value)
    return User(principal=row[OWNER], attributes=attributes)


def _groups(user: User) -> list[str]:
    """Each attribute as `\\ncategory=value\\n`; line feeds in them are not, so that none can look like two."""
    return [
        f"\n{category}={value}\n".replace("\r", " ")
        for category, values in user.attributes.items()
        for value in values
        if "\n" not in value and "\n" not in category and "=" not in category
    ]
