"""What is said of the clients that tests run is what they run."""

from __future__ import annotations

from pathlib import Path

from tests.support.official_clients import FOLDER, official_clients, readme_table

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_names_the_tested_clients_with_their_versions() -> None:
    assert readme_table() in README.read_text(encoding="utf-8"), f"the README's table has to be:\n{readme_table()}"


def test_every_client_has_an_exact_version_and_its_script() -> None:
    for client in official_clients():
        assert client.version and all(part.isdigit() for part in client.version.split(".")), client.id
        assert (FOLDER / client.script[0]).is_file(), client.id
