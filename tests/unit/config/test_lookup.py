"""What a `DISTRO|NAME|FILE` argument leads to, and what is said where it leads nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.config.lookup import resolve_config
from runtime.config.template import template_names
from runtime.errors import NotFound


def test_an_argument_is_a_file_then_a_template_then_what_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    env = {"LLAMA_HOME": str(tmp_path / "home")}
    distributions = tmp_path / "home" / "distributions"

    def write(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        return path

    assert resolve_config("starter", env) == "starter"
    last = write(distributions / "mine" / "mine-run.yaml")
    assert resolve_config("mine", env) == last
    ours = write(distributions / "mine" / "run.yaml")
    assert resolve_config("mine", env) == ours
    theirs = write(distributions / "llamastack-mine" / "mine-run.yaml")
    assert resolve_config("mine", env) == theirs
    write(tmp_path / "mine")
    assert resolve_config("mine", env) == Path("mine")
    write(tmp_path / "starter")
    assert resolve_config("starter", env) == Path("starter")


def test_a_name_leads_to_the_file_that_the_distribution_was_built_from(tmp_path: Path) -> None:
    env = {"LLAMA_HOME": str(tmp_path / "home")}
    folder = tmp_path / "home" / "distributions" / "mine"
    folder.mkdir(parents=True)
    source = tmp_path / "elsewhere.yaml"
    source.write_text("")
    (folder / ".source").write_text(f"{source}\n")
    assert resolve_config("mine", env) == source
    source.unlink()
    with pytest.raises(NotFound) as raised:
        resolve_config("mine", env)
    assert raised.value.message == f"`mine` was built from `{source}`, and that file is gone"
    assert raised.value.hint == "put it back, or build from another: `llama stack build --config FILE`"
    (folder / "run.yaml").write_text("")
    assert resolve_config("mine", env) == folder / "run.yaml"


def test_an_argument_that_means_nothing_names_what_there_is_and_what_is_close(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mystack.yaml").write_text("")
    (tmp_path / "home" / "distributions" / "llamastack-mystic").mkdir(parents=True)
    with pytest.raises(NotFound) as raised:
        resolve_config("mystak", {"LLAMA_HOME": str(tmp_path / "home")})
    assert raised.value.message == "`mystak` is not a file, a template or a built distribution"
    assert raised.value.hint == (
        f"did you mean `mystic` or `mystack.yaml`? templates: {', '.join(template_names())};"
        " `llama stack list` shows also what is built"
    )


def test_a_path_that_is_no_file_is_looked_for_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("")
    with pytest.raises(NotFound) as raised:
        resolve_config(f"{tmp_path}/rum.yaml", {"LLAMA_HOME": str(tmp_path / "home")})
    assert raised.value.hint == (
        f"did you mean `run.yaml`? templates: {', '.join(template_names())}; looked at {tmp_path}/rum.yaml"
    )


def test_the_home_of_another_user_is_where_other_options_find_it_too(tmp_path: Path) -> None:
    pwd = pytest.importorskip("pwd")
    me = pwd.getpwuid(os.getuid())
    if not Path(me.pw_dir).is_dir():
        pytest.skip("this user has no home folder")
    with pytest.raises(NotFound, match=f"`~{me.pw_name}` is a folder"):
        resolve_config(f"~{me.pw_name}", {"LLAMA_HOME": str(tmp_path)})


@pytest.mark.parametrize("argument", ["x" * 5000, "a\0b", "~nobody-at-all/run.yaml", ""])
def test_an_argument_that_cannot_be_a_file_is_not_found(argument: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        resolve_config(argument, {"LLAMA_HOME": str(tmp_path)})
