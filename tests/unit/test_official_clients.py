"""What is said of the clients that tests run is what they run."""

from __future__ import annotations

from pathlib import Path

from tests.support.official_clients import FOLDER, clients_table, official_clients
from tests.support.scenarios import scenario_table

GUIDE = Path(__file__).parents[2] / "docs/guide/clients.md"


def test_the_guide_names_the_tested_clients_with_their_versions() -> None:
    assert clients_table() in GUIDE.read_text(encoding="utf-8"), f"the table of {GUIDE} has to be:\n{clients_table()}"


def test_the_guide_shows_the_scenarios_that_pass() -> None:
    """That they do is what tests/processes/clients/test_scenarios.py finds."""
    assert scenario_table() in GUIDE.read_text(encoding="utf-8"), f"it has to be:\n{scenario_table()}"


def test_every_client_has_an_exact_version_and_its_script() -> None:
    for client in official_clients():
        assert client.version and all(part.isdigit() for part in client.version.split(".")), client.id
        assert (FOLDER / client.script[0]).is_file(), client.id
