"""pip's settings told to uv: which file wins, what uv is given, what is never shown; and the choice of torch."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import pytest

from llama_cli.packages.pip_settings import UvSettings, choose_torch, configuration_files, read_settings
from runtime.errors import ConfigInvalid

HERE = Path("/a/folder")
NO_DRIVER = Path("/nonexistent/driver")


def settings(environ: dict[str, str] | None = None, **facts: object) -> UvSettings:
    return read_settings(environ or {}, files=[], folder=HERE, **facts)  # type: ignore[arg-type]  # bool only


def test_nothing_set_gives_nothing() -> None:
    assert settings() == UvSettings()


def test_variables_go_over() -> None:
    given = settings(
        {
            "PIP_INDEX_URL": "https://index.example/simple",
            "PIP_EXTRA_INDEX_URL": "https://one.example/simple  file:///two/simple",
            "PIP_TRUSTED_HOST": "index.example",
            "PIP_PROXY": "proxy.example:3128",
            "PIP_DEFAULT_TIMEOUT": "180",
            "PIP_RETRIES": "2",
            "PIP_CERT": "company.pem",
            "PIP_NO_INDEX": "off",
        }
    )
    assert given.environment == {
        "UV_INDEX_URL": "https://index.example/simple",
        "UV_EXTRA_INDEX_URL": "https://one.example/simple file:///two/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": "index.example",
        "UV_HTTP_TIMEOUT": "180",
        "UV_HTTP_RETRIES": "2",
        "SSL_CERT_FILE": "/a/folder/company.pem",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://proxy.example:3128"),
    }
    assert given.arguments == ()


def test_choices_of_versions_and_files_become_arguments() -> None:
    given = settings({"PIP_CONSTRAINT": "pins.txt", "PIP_PRE": "1", "PIP_ONLY_BINARY": ":all:", "PIP_NO_INDEX": "1"})
    assert given.arguments == ("--no-index", "--only-binary", ":all:")
    assert given.resolve_arguments == ("--constraints", "/a/folder/pins.txt")
    assert given.environment == {"UV_PRERELEASE": "allow"}


def test_offline_is_not_part_of_the_fingerprint() -> None:
    assert settings(offline=True).environment == {"UV_OFFLINE": "1"}
    assert settings(offline=True).offline
    assert settings(offline=True).fingerprint() == settings().fingerprint()
    assert settings({"UV_OFFLINE": "1"}).offline


@pytest.mark.parametrize(
    ("pip", "uv"),
    [
        ("PIP_INDEX_URL", "UV_INDEX_URL"),
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    ],
)
def test_uvs_own_variable_wins(pip: str, uv: str) -> None:
    given = settings({pip: "https://pip.example", uv: "https://uv.example"})
    assert given.environment == {uv: "https://uv.example"}


def test_uvs_own_strategy_and_certificate_win() -> None:
    own = {"UV_INDEX_STRATEGY": "first-index", "SSL_CERT_FILE": "/own.pem"}
    given = settings({"PIP_EXTRA_INDEX_URL": "https://a.example", "PIP_CERT": "/pip.pem", **own})
    assert given.environment["UV_INDEX_STRATEGY"] == "first-index"
    assert "SSL_CERT_FILE" not in given.environment


def test_find_links_are_absolute_and_missing_folders_overlooked(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    (tmp_path / "more").mkdir()
    links = f"wheels missing file://{tmp_path}/more https://example.org/list.html"
    given = read_settings({"PIP_FIND_LINKS": links}, files=[], folder=tmp_path)
    expected = (f"{tmp_path}/wheels", f"file://{tmp_path}/more", "https://example.org/list.html")
    assert given.find_links == expected
    assert given.environment["UV_FIND_LINKS"] == ",".join(expected)


def test_uvs_find_links_replace_pips(tmp_path: Path) -> None:
    given = read_settings({"PIP_FIND_LINKS": "/", "UV_FIND_LINKS": "a,b"}, files=[], folder=tmp_path)
    assert given.find_links == (f"{tmp_path}/a", f"{tmp_path}/b")


def test_files_are_read_weakest_first_and_variables_win(tmp_path: Path) -> None:
    weak, strong = tmp_path / "weak.conf", tmp_path / "strong.conf"
    weak.write_text(
        "[global]\nindex-url = https://weak.example\nextra-index-url =\n  https://one.example\n  https://two.example\n"
        "[install]\nretries = 1\n[freeze]\ntimeout = 9\n"
    )
    strong.write_text("[global]\nindex_url = https://strong.example\nretries = 7\ncert = /c.pem\n")
    given = read_settings({"PIP_CERT": "/d.pem"}, files=[weak, strong, tmp_path / "missing.conf"])
    assert given.environment == {
        "UV_INDEX_URL": "https://strong.example",
        "UV_EXTRA_INDEX_URL": "https://one.example https://two.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_HTTP_RETRIES": "1",  # [install] is nearer than [global], whatever the file
        "SSL_CERT_FILE": "/d.pem",
    }


def test_broken_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("index-url = https://me:secret@example.org\n")
    with pytest.raises(ConfigInvalid) as caught:
        read_settings({}, files=[file])
    assert str(file) in caught.value.message
    assert "secret" not in caught.value.message


def test_passwords_are_passed_on_and_never_shown() -> None:
    given = settings({"PIP_INDEX_URL": "https://me:secret@index.example/simple"})
    assert given.environment["UV_INDEX_URL"] == "https://me:secret@index.example/simple"
    assert "secret" not in repr(given)
    assert given.fingerprint() == ["UV_INDEX_URL=https://********@index.example/simple"]


def test_fingerprint_has_every_address_and_none_of_their_passwords() -> None:
    links = "https://me:one/@a.example/x,https://me:two@b.example/y"
    given = read_settings({"UV_FIND_LINKS": links}, files=[])
    assert given.fingerprint() == [
        "UV_FIND_LINKS=https://********@a.example/x,https://********@b.example/y"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "names"),
    [
        ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
        ("PIP_CONSTRAINT", ""),
        ("UV_CONSTRAINT", ""),
        ("UV_OVERRIDE", "UV_OVERRIDE"),
    ],
)
def test_where_a_command_is_typed_makes_no_difference(variable: str, names: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "it").write_text("")
    one = read_settings({variable: "it"}, files=[], folder=tmp_path / "here")
    other = read_settings({variable: "../here/it"}, files=[], folder=tmp_path / "elsewhere")
    assert one.fingerprint() == other.fingerprint() != []
    assert one == other
    if names:
        assert one.environment == {names: f"{tmp_path}/here/it"}


def test_relative_paths_of_uvs_own_variables_still_lead_to_the_same_place() -> None:
    given = settings({"UV_CACHE_DIR": "cache", "UV_OVERRIDE": "a.txt b.txt", "SSL_CERT_FILE": "/etc/ca.pem"})
    assert given.environment == {
        "UV_CACHE_DIR": "/a/folder/cache",
        "UV_OVERRIDE": "/a/folder/a.txt /a/folder/b.txt",
    }


def test_uvs_own_constraints_replace_pips() -> None:
    given = settings({"UV_CONSTRAINT": "a.txt b.txt", "PIP_CONSTRAINT": "c.txt"})
    assert given.resolve_arguments == ("--constraints", "/a/folder/a.txt", "--constraints", "/a/folder/b.txt")


def test_fingerprint_follows_the_content_of_a_constraints_file(tmp_path: Path) -> None:
    (tmp_path / "pins.txt").write_text("a<2\n")
    before = read_settings({"PIP_CONSTRAINT": "pins.txt"}, files=[], folder=tmp_path)
    first = before.fingerprint()
    (tmp_path / "pins.txt").write_text("a<3\n")
    assert before.fingerprint() != first


def test_places_of_files_on_linux_and_mac() -> None:
    home = {"HOME": "/home/me"}
    assert configuration_files(home, platform_name="linux", prefix="/venv") == [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        Path("/home/me/.pip/pip.conf"),
        Path("/home/me/.config/pip/pip.conf"),
        Path("/venv/pip.conf"),
    ]
    moved = {**home, "XDG_CONFIG_HOME": "/x", "XDG_CONFIG_DIRS": "/y:/z"}
    assert configuration_files(moved, platform_name="linux", prefix="/venv") == [
        Path("/y/pip/pip.conf"),
        Path("/z/pip/pip.conf"),
        Path("/etc/pip.conf"),
        Path("/home/me/.pip/pip.conf"),
        Path("/x/pip/pip.conf"),
        Path("/venv/pip.conf"),
    ]
    assert configuration_files(home, platform_name="darwin", prefix="/venv") == [
        Path("/Library/Application Support/pip/pip.conf"),
        Path("/home/me/.pip/pip.conf"),
        Path("/home/me/.config/pip/pip.conf"),
        Path("/venv/pip.conf"),
    ]


def test_chosen_file_takes_the_place_of_the_users(tmp_path: Path) -> None:
    chosen = tmp_path / "chosen.conf"
    environ = {"HOME": "/home/me", "PIP_CONFIG_FILE": str(chosen)}
    assert chosen not in configuration_files(environ, platform_name="linux", prefix="/venv")
    chosen.write_text("")
    files = configuration_files(environ, platform_name="linux", prefix="/venv")
    assert files == [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), Path("/venv/pip.conf"), chosen]
    assert configuration_files({"PIP_CONFIG_FILE": os.devnull}) == []


@pytest.fixture
def wheels(tmp_path: Path) -> UvSettings:
    """A find-links folder with torch for two Pythons, two processors and with CUDA."""
    here = platform.machine()
    python, other = (f"cp3{minor}-cp3{minor}" for minor in (sys.version_info.minor, sys.version_info.minor + 1))
    for name in (
        f"torch-2.9.1+cpu-{python}-manylinux_2_17_{here}.whl",
        f"torch-2.13.0%2Bcpu-{python}-manylinux_2_17_{here}.whl",
        f"torch-2.14.0+cpu-{other}-manylinux_2_17_{here}.whl",
        f"torch-2.15.0+cpu-{python}-manylinux_2_17_other.whl",
        f"torch-2.16.0-{python}-manylinux_2_17_{here}.whl",
        "torch-2.17.0+cpu.whl",
        f"torch_geometric-9.0+cpu-{python}-manylinux_2_17_{here}.whl",
    ):
        (tmp_path / name).write_text("")
    return read_settings({"PIP_FIND_LINKS": tmp_path.as_uri()}, files=[])


def test_without_gpu_the_newest_cpu_wheel_that_fits_is_pinned(wheels: UvSettings) -> None:
    choice = choose_torch(wheels, {}, driver=NO_DRIVER, system="linux")
    assert (choice.constraint, choice.wants_cpu) == ("torch==2.13.0+cpu", True)
    choice = choose_torch(UvSettings(), {}, driver=NO_DRIVER, system="linux")
    assert (choice.constraint, choice.wants_cpu) == (None, True)


def test_with_gpu_the_cpu_wheel_is_kept_out(wheels: UvSettings, tmp_path: Path) -> None:
    choice = choose_torch(wheels, {}, driver=tmp_path, system="linux")
    assert (choice.constraint, choice.wants_cpu) == ("torch!=2.13.0+cpu", False)


def test_wish_wins_over_what_is_here(wheels: UvSettings, tmp_path: Path) -> None:
    assert choose_torch(wheels, {"LLAMA_TORCH": "cpu"}, driver=tmp_path, system="linux").wants_cpu
    assert not choose_torch(wheels, {"LLAMA_TORCH": "cuda"}, driver=NO_DRIVER, system="linux").wants_cpu
    with pytest.raises(ConfigInvalid, match="`LLAMA_TORCH=tpu` is neither"):
        choose_torch(wheels, {"LLAMA_TORCH": "tpu"})


def test_nvidia_smi_on_the_path_counts_as_a_gpu(wheels: UvSettings, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert not choose_torch(wheels, {"PATH": str(tmp_path)}, driver=NO_DRIVER, system="linux").wants_cpu


def test_uvs_own_torch_backend_and_other_systems_decide_themselves(wheels: UvSettings) -> None:
    own = {"UV_TORCH_BACKEND": "cu128"}
    assert choose_torch(wheels, own, driver=NO_DRIVER, system="linux").constraint is None
    assert choose_torch(wheels, {}, driver=NO_DRIVER, system="darwin").constraint is None
