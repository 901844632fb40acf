"""The matrix of doors and scenarios: which client takes which door, and what a cell is where it is not tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.support.official_clients import OfficialClient, official_clients

SCENARIOS = {
    "chat": "chat",
    "stream": "stream",
    "tools": "tools",
    "structured": "structured output",
    "vision": "vision",
    "errors": "errors",
    "breaks": "broken stream",
    "cancel": "cancel",
}
"""By their names in `official/of_doors.py`, as they are shown."""
PASSES = "passes"
_TOO_SMALL = "it calls no tools by itself"
_BLIND = "it sees nothing"
_NEAR = "nothing lies between that could break"
NOT_EMBEDDED = {"tools": _TOO_SMALL, "vision": _BLIND, "breaks": _NEAR}
"""Scenarios that the embedded model is not tried in, and why not."""


@dataclass(frozen=True, kw_only=True)
class Door:
    """label: as it is shown. client: the row of clients.toml that takes it; name: in `official/of_doors.py`. broken:
    how the client tells of a stream that breaks off in the middle.
    """

    label: str
    client: str
    name: str
    broken: str

    @property
    def official(self) -> OfficialClient:
        """The client, told to take this door."""
        [found] = (client for client in official_clients() if client.id == self.client)
        return replace(found, script=["of_doors.py", found.package, self.name])


_RAISES = "raises `APIError`"
_GIVES = "gives a chunk with `error`"
DOORS = (
    Door(label="OpenAI chat", client="openai", name="chat", broken=_RAISES),
    Door(label="OpenAI responses", client="openai", name="responses", broken="gives `response.failed`"),
    Door(label="llama-stack-client", client="llama-stack-client-0.7", name="chat", broken=_RAISES),
    Door(label="agents", client="llama-stack-client-0.2", name="agents", broken=_GIVES),
    Door(label="agents, 0.3.5", client="llama-stack-client-0.3", name="agent_resources", broken=_GIVES),
    Door(label="earlier inference", client="llama-stack-client-0.2", name="earlier_inference", broken=_GIVES),
    Door(label="library", client="library-openai", name="chat", broken=_RAISES),
    Door(label="library, agents", client="library-0.2", name="agents", broken=_GIVES),
)
_MODELS = {"vendor": "a vendor", "embedded": "the embedded model"}


def expected(door: Door, scenario: str, model: str) -> str:
    """What a cell is: `PASSES`, how a broken stream is told, or why it is not tried with the embedded model. model:
    `vendor` or `embedded`.
    """
    if model == "embedded":
        if door.official.is_library:
            return "the same application as behind a socket"
        return NOT_EMBEDDED.get(scenario, PASSES)
    return door.broken if scenario == "breaks" else PASSES


def scenario_table(cells: Mapping[tuple[str, str, str], str] | None = None) -> str:
    """The table, as docs/guide/clients.md shows it. cells: what was found, by the door's label, the scenario and the
    model; by default, what is expected.
    """
    notes: list[str] = []

    def cell(door: Door, scenario: str, model: str) -> str:
        said = expected(door, scenario, model) if cells is None else cells[door.label, scenario, model]
        if said == PASSES or model == "vendor":
            return said
        if said not in notes:
            notes.append(said)
        return f"— {notes.index(said) + 1}"

    lines = [
        f"| through | model | {' | '.join(SCENARIOS.values())} |",
        f"|---|---|{'---|' * len(SCENARIOS)}",
    ]
    for door in DOORS:
        for model, label in _MODELS.items():
            found = [cell(door, scenario, model) for scenario in SCENARIOS]
            lines.append(f"| {door.label} | {label} | {' | '.join(found)} |")
    return "\n".join([*lines, "", *(f"{number}. {note}" for number, note in enumerate(notes, 1)), ""])
