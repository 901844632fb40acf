"""The wheel of ourselves: valid, the same bytes for the same sources, from a tree and from an installed copy."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from pathlib import Path

import pytest

import runtime
from llama_cli.packages.snapshot import snapshot_wheel
from runtime.errors import StackError

PYPROJECT = """
[project]
name = "llama-stack-toolchain"
requires-python = ">=3.11"
dependencies = ["typer>=0.28,<0.29", "rich"]
[project.optional-dependencies]
server = ["litestar>=2", "uvloop; sys_platform != 'win32'"]
docs = ["sphinx"]
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree like ours, with what a working folder collects."""
    root = tmp_path / "tree"
    files = {
        "pyproject.toml": PYPROJECT,
        "runtime/__init__.py": "",
        "runtime/catalog/llama.toml": "[models]\n",
        "runtime/__pycache__/x.cpython-311.pyc": "old",
        "runtime/.notes.swp": "editor",
        "llama_cli/main.py": "def main() -> None: ...\n",
        "llama_cli/main.py~": "editor",
        "templates/starter/template.yaml": "name: starter\n",
        "tests/test_a.py": "",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def metadata(wheel: Path) -> list[str]:
    [name] = [name for name in contents(wheel) if name.endswith("/METADATA")]
    return contents(wheel)[name].decode().splitlines()


def test_holds_packages_and_templates_and_nothing_else(tree: Path, tmp_path: Path) -> None:
    wheel = snapshot_wheel(tmp_path / "out", root=tree)
    names = [name for name in contents(wheel) if ".dist-info/" not in name]
    assert names == [
        "llama_cli/main.py",
        "llama_cli/templates/starter/template.yaml",
        "runtime/__init__.py",
        "runtime/catalog/llama.toml",
    ]


def test_same_sources_give_same_bytes_in_another_folder_and_at_another_time(tree: Path, tmp_path: Path) -> None:
    first = snapshot_wheel(tmp_path / "one", root=tree)
    (tree / "runtime/__init__.py").touch()
    (tree / "runtime/__init__.py").chmod(0o600)
    second = snapshot_wheel(tmp_path / "two", root=tree)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_standing_wheel_is_left_alone_and_a_damaged_one_replaced(tree: Path, tmp_path: Path) -> None:
    wheel = snapshot_wheel(tmp_path, root=tree)
    before, content = wheel.stat(), wheel.read_bytes()
    assert snapshot_wheel(tmp_path, root=tree).stat().st_ino == before.st_ino
    wheel.write_bytes(content[:100])
    assert snapshot_wheel(tmp_path, root=tree).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [wheel.name]


@pytest.mark.parametrize(
    "changed", ["runtime/__init__.py", "templates/starter/template.yaml", "runtime/catalog/llama.toml"]
)
def test_changed_source_gives_another_version(tree: Path, tmp_path: Path, changed: str) -> None:
    before = snapshot_wheel(tmp_path, root=tree)
    (tree / changed).write_text("# changed\n")
    assert snapshot_wheel(tmp_path, root=tree) != before


def test_changed_dependency_gives_another_version(tree: Path, tmp_path: Path) -> None:
    before = snapshot_wheel(tmp_path, root=tree)
    (tree / "pyproject.toml").write_text(PYPROJECT.replace('"rich"', '"rich>=15"'))
    assert snapshot_wheel(tmp_path, root=tree) != before


def test_name_is_a_valid_local_version(tree: Path, tmp_path: Path) -> None:
    name = snapshot_wheel(tmp_path, root=tree).name
    version = re.escape(runtime.__version__)
    assert re.fullmatch(rf"llama_stack_toolchain-{version}\+s[0-9a-f]{{12}}-py3-none-any\.whl", name)


def test_metadata_has_the_base_and_the_server_extra(tree: Path, tmp_path: Path) -> None:
    lines = metadata(snapshot_wheel(tmp_path, root=tree))
    assert lines[1] == "Name: llama-stack-toolchain"
    assert lines[3:] == [
        "Requires-Python: >=3.11",
        "Provides-Extra: server",
        'Requires-Dist: litestar>=2; extra == "server"',
        "Requires-Dist: rich",
        "Requires-Dist: typer<0.29,>=0.28",
        'Requires-Dist: uvloop; sys_platform != "win32" and extra == "server"',
    ]


def test_record_names_every_file_with_its_hash_and_size(tree: Path, tmp_path: Path) -> None:
    files = contents(snapshot_wheel(tmp_path, root=tree))
    [record] = [name for name in files if name.endswith("/RECORD")]
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(files[record].decode()))}
    assert set(rows) == set(files)
    assert rows.pop(record) == ["", ""]
    for name, (digest, size) in rows.items():
        expected = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
        assert (digest, int(size)) == (f"sha256={expected}", len(files[name]))


def test_installed_copy_gives_the_same_files_and_dependencies(tree: Path, tmp_path: Path) -> None:
    from_tree = snapshot_wheel(tmp_path / "one", root=tree)
    site = tmp_path / "site-packages"
    with zipfile.ZipFile(from_tree) as archive:
        archive.extractall(site)
    # a build backend writes other extras too, and a description behind an empty line
    [file] = site.glob("*.dist-info/METADATA")
    file.write_text(file.read_text() + 'Requires-Dist: sphinx; extra == "docs"\n\nRequires-Dist: prose\n')

    installed = snapshot_wheel(tmp_path / "two", root=site)
    assert installed.name == from_tree.name
    assert metadata(installed) == metadata(from_tree)
    assert contents(installed) == contents(from_tree)


@pytest.mark.parametrize(
    "lines",
    [
        [
            "rich",
            "typer<0.29,>=0.28",
            "litestar>=2; extra == 'server'",
            "uvloop; (sys_platform != 'win32') and extra == 'server'",
        ],
        [
            "typer<0.29,>=0.28",
            "rich",
            'uvloop; sys_platform != "win32" and extra == "server"',
            'litestar>=2; extra == "server"',
        ],
    ],
    ids=["hatchling", "setuptools"],
)
def test_build_backends_that_reorder_dependencies_make_no_difference(
    lines: list[str], tree: Path, tmp_path: Path
) -> None:
    from_tree = snapshot_wheel(tmp_path / "one", root=tree)
    site = tmp_path / "site-packages"
    with zipfile.ZipFile(from_tree) as archive:
        archive.extractall(site)
    [file] = site.glob("*.dist-info/METADATA")
    head = [line for line in file.read_text().splitlines() if not line.startswith("Requires-Dist")]
    file.write_text("\n".join([*head, *(f"Requires-Dist: {line}" for line in lines)]) + "\n")
    assert snapshot_wheel(tmp_path / "two", root=site).read_bytes() == from_tree.read_bytes()


def test_without_metadata_it_says_how_to_repair(tree: Path, tmp_path: Path) -> None:
    (tree / "pyproject.toml").unlink()
    with pytest.raises(StackError) as caught:
        snapshot_wheel(tmp_path / "out", root=tree)
    assert str(tree) in caught.value.message
    assert caught.value.hint == "install it again: `pip install --force-reinstall llama-stack-toolchain`"


def test_folder_that_cannot_be_made_is_named(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file/out"):
        snapshot_wheel(tmp_path / "file" / "out", root=tree)


def test_our_own_tree_makes_a_wheel(tmp_path: Path) -> None:
    names = contents(snapshot_wheel(tmp_path))
    assert {"runtime/errors.py", "llama_cli/packages/snapshot.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]
