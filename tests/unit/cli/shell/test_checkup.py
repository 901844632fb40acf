"""The doctor's checks, each at the thing that it looks for."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llama_cli.checkup import builds, configs, home, machine, network, report
from llama_cli.checkup.examination import checks, examine, patient_of
from llama_cli.checkup.findings import Check, Distribution, Finding, Patient, ok, warning
from runtime import allowance
from runtime.allowance import Memory
from runtime.errors import NotFound
from tests.support.command_runner import Cli

VALID = "version: 2\ndistro_name: mine\napis: [inspect]\nproviders: {}\n"


@pytest.fixture
def patient(cli: Cli) -> Patient:
    """A Llama home with a folder for records, and nothing built."""
    (cli.home / "servers").mkdir(parents=True, mode=0o700)
    cli.home.chmod(0o700)
    return Patient(environment=dict(os.environ), home=cli.home)


def ids(found: Iterator[Finding]) -> list[str]:
    return [finding.id for finding in found]


def test_every_check_has_a_name_of_its_own_that_its_findings_begin_with() -> None:
    names = [check.name for check in checks()]
    assert len(names) == len(set(names)) >= 16


@pytest.mark.parametrize(("mode", "found"), [(0o700, "home/ok"), (0o755, "home/open"), (0o770, "home/open")])
def test_a_home_that_others_can_read_is_closed(mode: int, found: str, patient: Patient) -> None:
    patient.home.chmod(mode)
    [finding] = home.home(patient)
    assert finding.id == found
    if finding.repair is not None:
        finding.repair.do()
    assert patient.home.stat().st_mode & 0o777 == 0o700


def test_a_home_that_holds_what_is_not_ours_is_not_closed(patient: Patient) -> None:
    (patient.home / "photos").mkdir()
    patient.home.chmod(0o755)
    [finding] = home.home(patient)
    assert (finding.id, finding.repair) == ("home/shared", None)


def test_a_fix_can_be_pasted_whatever_the_folder_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "my files"
    (folder / "servers").mkdir(parents=True)
    (folder / "servers" / "x y.json").write_text("[1]")
    folder.chmod(0o755)
    of_it = Patient(environment={}, home=folder)
    fixes = [finding.fix for check in (home.home, home.left_over) for finding in check(of_it)]
    assert [shlex.split(fix or "")[-1] for fix in fixes] == [str(folder), str(folder / "servers" / "x y.json")]


def test_locks_work_here_and_nothing_is_left_of_the_trial(patient: Patient) -> None:
    assert ids(home.locks(patient)) == ["locks/ok"]
    assert list((patient.home / "servers").iterdir()) == []


def test_a_file_system_without_locks_is_an_error(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda descriptor, operation: None)
    assert ids(home.locks(patient)) == ["locks/none"]


def test_a_network_file_system_is_known_by_its_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    place = str(tmp_path / "a b").replace(" ", "\\040")
    mounts.write_text(f"/dev/x / ext4 rw 0 0\nserver:/e {place} nfs4 rw 0 0\n/dev/y {tmp_path}/a ext4 rw 0 0\n")
    assert home._file_system_of(tmp_path / "a b" / "c", mounts) == "nfs4"
    assert home._file_system_of(tmp_path / "other", mounts) == "ext4"


def test_what_servers_have_left_is_told_apart_and_removed(patient: Patient) -> None:
    servers = patient.home / "servers"
    (servers / "garbage.json").write_text("[1]")
    (servers / "crashed.json").write_text(json.dumps({"state": "ready", "pid": 1, "log_file": "/log"}))
    (servers / "stopped.json").write_text(json.dumps({"state": "stopped", "pid": 1}))
    (servers / "running.json").write_text("half a docu")
    (servers / "newer.json").write_text(json.dumps({"state": "warming", "pid": 1}))
    (servers / "folder.json").mkdir()
    with (servers / "running.json").open() as held, (servers / "newer.json").open() as also_held:
        fcntl.flock(held, fcntl.LOCK_EX)
        fcntl.flock(also_held, fcntl.LOCK_EX)
        found = list(home.left_over(patient))
        assert {finding.id: finding.about for finding in found} == {
            "records/crashed": "crashed",
            "records/garbage": "",
            "records/unreadable": "running",
            "records/unknown": "newer",
            "records/ok": "",
        }
        for finding in found:
            if finding.repair is not None:
                finding.repair.do()
    left = ["folder.json", "newer.json", "running.json", "stopped.json"]
    assert sorted(path.name for path in servers.glob("*.json")) == left


def test_half_an_environment_is_removed_unless_it_is_being_built(patient: Patient) -> None:
    half = patient.home / "distributions" / "mine" / ".venvs" / ".new-4711"
    half.mkdir(parents=True)
    lock = half.parents[1] / ".build.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert ids(builds.half_made(patient)) == []
    [finding] = builds.half_made(patient)
    assert (finding.id, finding.about) == ("builds/half-made", "mine")
    assert finding.repair is not None
    finding.repair.do()
    assert not half.exists()


def test_an_environment_is_held_to_its_lock(tmp_path: Path) -> None:
    packages = tmp_path / "lib/python3.11/site-packages"
    for name in ("Same_One-1.0.0", "other-2.0", "half-1"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    for name in ("Same_One-1.0.0", "other-2.0"):
        (packages / f"{name}.dist-info/METADATA").touch()
    lock = "".join(
        f'[[packages]]\nname = "{name}"\nversion = "{version}"\n'
        for name, version in (("same-one", "1.0"), ("other", "2.1"), ("half", "1"), ("gone", "3"))
    )
    assert builds._differences(lock, tmp_path) == [
        "`other` is 2.0, not 2.1",
        "`half` is there in part, or twice",
        "`gone` is missing",
    ]


def test_an_environment_whose_python_is_gone_is_broken(patient: Patient) -> None:
    folder = patient.home / "distributions" / "mine"
    folder.mkdir(parents=True)
    (folder / ".venv").symlink_to(".venvs/gone")
    [finding] = builds._environment(Distribution(name="mine", target="mine", folder=folder))
    assert (finding.id, finding.level) == ("environment/broken", "error")
    assert finding.fix == f"rm -r {folder}/.venv && llama stack build mine"


def test_little_memory_is_a_warning(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "memory", lambda: Memory(total_bytes=4 * 10**9, free_bytes=10**8))
    assert ids(machine.memory(patient)) == ["memory/low"]


@pytest.mark.parametrize(("free", "found"), [(10**8, "disk/full"), (2 * 10**9, "disk/low"), (10**12, "disk/ok")])
def test_room_on_the_disk(free: int, found: str, patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": free}))
    assert set(ids(machine.disk(patient))) == {found}


def test_files_from_the_future_betray_the_clock(patient: Patient) -> None:
    assert ids(machine.clock(patient)) == ["clock/ok"]
    record = patient.home / "servers" / "x.json"
    record.touch()
    os.utime(record, (time.time() + 10 * 86_400,) * 2)
    assert ids(machine.clock(patient)) == ["clock/jumped"]


def test_certificates_that_are_not_there_are_named(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Patient(environment={"SSL_CERT_FILE": str(tmp_path / "gone")}, home=patient.home)
    assert ids(network.certificates(gone)) == ["certificates/missing"]
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    paths = ssl.DefaultVerifyPaths(None, str(empty), "SSL_CERT_FILE", "", "SSL_CERT_DIR", str(empty))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    default = Patient(environment={}, home=patient.home)
    assert ids(network.certificates(default)) == ["certificates/none"]
    (empty / "README").touch()
    assert ids(network.certificates(default)) == ["certificates/none"]
    (empty / "5ed36f99.0").touch()
    assert ids(network.certificates(default)) == ["certificates/ok"]
    (tmp_path / "no.pem").write_text("no certificate")
    of_user = Patient(environment={"SSL_CERT_FILE": str(tmp_path / "no.pem")}, home=patient.home)
    assert ids(network.certificates(of_user)) == ["certificates/broken"]


def test_a_proxy_is_tried(patient: Patient, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert ids(network.proxy(patient)) == ["proxy/none"]
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:hush@127.0.0.1:{unused_tcp_port}")
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    found = list(network.proxy(patient))
    assert [finding.id for finding in found] == ["proxy/unreachable", "proxy/kind"]
    assert "hush" not in str(found)


def test_the_port_is_that_of_the_run_config(patient: Patient, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = other.getsockname()[1]
        (tmp_path / "run.yaml").write_text(f"{VALID}server: {{port: {number}}}\n")
        each = Distribution(name="mine", target=str(tmp_path / "run.yaml"))
        of_it = Patient(environment={}, home=patient.home, distributions=(each,))
        [finding] = network.port(of_it)
        assert finding.id == "port/taken" and f"port {number} is taken by" in finding.message
        named = Patient(environment={"LLAMA_STACK_PORT": str(number)}, home=patient.home, distributions=(each,))
        assert ids(network.port(named)) == ["port/taken"]
    assert ids(network.port(of_it)) == ["port/free"]


def test_a_run_config_is_validated_and_its_models_are_weighed(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "big.gguf"
    file = tmp_path / "run.yaml"

    def examined() -> tuple[list[str], list[str]]:
        each = Distribution(name="mine", target=str(file))
        of_it = Patient(environment={}, home=patient.home, distributions=(each,))
        return ids(configs.valid(of_it)), ids(configs.models(of_it))

    entry = f"{{provider_id: own, provider_type: 'inline::meta-reference', config: {{model: {model}}}}}"
    file.write_text(f"version: 2\ndistro_name: mine\nproviders: {{inference: [{entry}]}}\n")
    assert examined() == (["config/warning"], [])  # it is not there
    model.write_bytes(b"GGUF")
    os.truncate(model, 10**6)
    assert examined()[1] == ["models/ok"]
    monkeypatch.setattr(allowance, "memory", lambda: Memory(total_bytes=10**6, free_bytes=10**6))
    assert examined()[1] == ["models/large"]
    file.write_text("version: 2\ndistro_name: mine\nproviders: {inferense: []}\nserver: {port: x}\n")
    assert set(examined()[0]) == {"config/invalid"}


def test_a_variable_that_nothing_reads_has_the_name_that_is_meant(patient: Patient, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    entry = "{provider_id: '${env.OLLAMA_URL:+ollama}', provider_type: 'remote::ollama', config: {}}"
    file.write_text(f"version: 2\ndistro_name: mine\nproviders: {{inference: [{entry}]}}\n")
    each = Distribution(name="mine", target=str(file))
    of_it = Patient(environment={"OLLAMA_HOST": "x"}, home=patient.home, distributions=(each,))
    [finding] = configs.variables(of_it)
    assert (finding.id, finding.about, finding.fix) == ("variables/unread", "OLLAMA_HOST", "export OLLAMA_URL=...")


def test_what_is_examined(cli: Cli) -> None:
    assert [each.name for each in patient_of(None, None).distributions] == ["starter"]
    folder = cli.home / "distributions" / "mine"
    folder.mkdir(parents=True)
    (folder / "run.yaml").write_text(VALID)
    assert [each.name for each in patient_of(None, None).distributions] == ["mine"]
    assert patient_of(str(folder / "run.yaml"), None).distributions == patient_of("mine", None).distributions
    with pytest.raises(NotFound, match="nowhere"):
        patient_of("nowhere", None)
    assert [each.name for each in patient_of(None, "http://127.0.0.1:1").distributions] == ["mine"]
    assert patient_of(None, "http://127.0.0.1:1", url_alone=True).distributions == ()
    with pytest.raises(NotFound, match="nowhere"):
        patient_of(None, "nowhere", url_alone=True)


def test_a_check_that_hangs_or_fails_is_a_finding_and_keeps_no_other_back(patient: Patient) -> None:
    def hangs(patient: Patient) -> Iterator[Finding]:
        yield ok("slow/first", "this came")
        time.sleep(3)
        yield ok("slow/late", "this came too late")

    def fails(patient: Patient) -> Iterator[Finding]:
        raise ZeroDivisionError("hush")
        yield

    def works(patient: Patient) -> Iterator[Finding]:
        yield warning("quick/found", "b")
        yield ok("quick/found", "a")

    asked = [Check(name="slow", ask=hangs, limit_s=0.3), Check(name="bad", ask=fails), Check(name="quick", ask=works)]
    found = list(examine(patient, asked))
    assert ids(iter(found)) == ["slow/first", "slow/timed-out", "bad/failed", "quick/found", "quick/found"]
    assert [finding.message for finding in found[3:]] == ["a", "b"]


def test_findings_come_in_one_order_each_as_soon_as_it_can(patient: Patient) -> None:
    second_is_done, is_read = threading.Event(), threading.Event()

    def first(patient: Patient) -> Iterator[Finding]:
        assert second_is_done.wait(10)
        yield ok("first/found", "")

    def second(patient: Patient) -> Iterator[Finding]:
        yield ok("second/found", "")
        second_is_done.set()

    def third(patient: Patient) -> Iterator[Finding]:
        assert is_read.wait(10)
        yield ok("third/found", "")

    told: list[list[str]] = []
    asked = [Check(name=ask.__name__, ask=ask) for ask in (first, second, third)]
    coming = examine(patient, asked, tell=lambda names: told.append([*names]))
    assert [next(coming).id, next(coming).id] == ["first/found", "second/found"]
    is_read.set()
    assert ids(coming) == ["third/found"]
    assert (told[0], told[-1]) == (["first", "second", "third"], ["third"])


def test_a_report_holds_nothing_private(patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/maria")
    monkeypatch.setenv("GROQ_API_KEY", "gsk-from-the-environment")
    monkeypatch.setattr(report, "version_facts", lambda: {"version": "1.2.3", "commit": None})
    monkeypatch.setattr("getpass.getuser", lambda: "maria")
    monkeypatch.setattr("socket.gethostname", lambda: "marias-laptop")
    log = tmp_path / "it.log"
    monkeypatch.setenv("SUDO_USER", "jdoe")
    said = "/home/maria/x of maria at marias-laptop with sk-in-the-file and gsk-from-the-environment"
    elsewhere = "/home/karl/y by JDoe, hf_abcdefghijklmnop, Authorization: Bearer abcdefghijkl"
    log.write_text(json.dumps({"level": "error", "message": f"{said} ``` {elsewhere}"}) + "\n")
    (patient.home / "servers" / "it.json").write_text(json.dumps({"state": "stopped", "log_file": str(log)}))
    file = tmp_path / "run.yaml"
    entry = "{provider_id: a, provider_type: 'remote::openai', config: {api_key: sk-in-the-file}}"
    file.write_text(f"version: 2\ndistro_name: mine\nproviders: {{inference: [{entry}]}}\n")
    each = Distribution(name="mine", target=str(file))
    of_it = Patient(environment=dict(os.environ), home=patient.home, distributions=(each,))
    text = report.report(of_it, [warning("a/b", "in /home/maria|x", fix="rm /home/maria/x")])
    for private in ("maria", "sk-in-the-file", "gsk-from", "karl", "jdoe", "JDoe", "hf_abc", "abcdefghijkl"):
        assert private not in text
    assert "| warning | `a/b` |  | in ~\\|x |  | `rm ~/x` |" in text
    assert "~/x of USER at HOST with ******** and ********" in text
    assert "provider_type: remote::openai" in text
    assert text.count("```") == 4
