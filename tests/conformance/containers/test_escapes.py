"""Code that tries to get out. Each attempt says what it reached; nothing of it may be there."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.conformance.form import file
from runtime.conformance.stacks import adapter_of
from runtime.providers.containers.bubblewrap.folder import Folder
from tests.conformance.containers.asking import Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRIED = """
import os, socket, ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
def tried(what, *arguments):
    try:
        print('REACHED', what(*arguments))
    except Exception as error:
        print('refused', type(error).__name__)
def call(name, *arguments):
    result = getattr(libc, name)(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


async def _refused(containers: Asking, *attempts: str) -> None:
    """Every attempt must end in an exception."""
    made = await containers.made()
    said = await containers.logs(made, TRIED + "\n".join(f"tried({attempt})" for attempt in attempts))
    assert "REACHED" not in said and said.count("refused") == len(attempts), said


async def test_no_network_not_even_this_machine(containers: Asking, listener: socket.socket, tmp_path: Path) -> None:
    port = listener.getsockname()[1]
    unix, abstract = tmp_path / "socket", f"\0{tmp_path}"
    with socket.socket(socket.AF_UNIX) as by_path, socket.socket(socket.AF_UNIX) as by_name:
        by_path.bind(str(unix))
        by_path.listen()
        by_name.bind(abstract)
        by_name.listen()
        await _refused(
            containers,
            f"socket.create_connection, ('127.0.0.1', {port}), 2",
            "socket.create_connection, ('192.0.2.1', 80), 2",
            "socket.getaddrinfo, 'example.com', 80",
            f"socket.socket(socket.AF_UNIX).connect, {str(unix)!r}",
            f"socket.socket(socket.AF_UNIX).connect, {abstract!r}",
            "socket.socket, 40, 1",
            "socket.socket, 16, 3",
            "socket.socket, 17, 3",
            "socket.socket, 2, socket.SOCK_RAW, 1",
        )


async def test_no_file_of_the_host(containers: Asking, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    state = adapter_of(containers.served.stack, "containers")._folders
    other = await containers.made()
    await containers.put(other, "a.txt", b"other")
    await _refused(
        containers,
        *(f"open, {str(path)!r}" for path in ("/etc/shadow", "/etc/passwd", secret, state / other / "data/a.txt")),
        *(f"os.listdir, {str(path)!r}" for path in ("/root", "/home", "/var", "/sys", "/usr/bin", state)),
        f"open, '/proc/self/root{secret}'",
        f"open, '/mnt/data/../../..{secret}'",
    )


async def test_nothing_of_the_server_is_told(containers: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    made = await containers.made()
    code = (
        "import os, glob\nprint(dict(os.environ), os.getuid(), os.uname().nodename)\n"
        "for place in glob.glob('/proc/*/environ') + glob.glob('/proc/*/cmdline'):\n"
        "    try: print(open(place, 'rb').read())\n    except OSError as error: print(type(error).__name__)\n"
        "print(open('/proc/mounts').read())"
    )
    said = await containers.logs(made, code)
    assert "sk-secret" not in said and "LLAMA" not in said and " 65534 container" in said
    assert str(adapter_of(containers.served.stack, "containers")._folders) not in said
    opened = "for n in range(3, 300):\n    try: print(os.readlink(f'/proc/self/fd/{n}'))\n    except OSError: pass"
    assert {line.partition(":")[0] for line in (await containers.logs(made, opened)).split()} == {"pipe"}


async def test_no_other_process_can_be_reached(containers: Asking) -> None:
    await _refused(
        containers,
        "open, '/proc/1/mem', 'rb'",
        "open, '/proc/1/environ'",
        "os.listdir, '/proc/1/fd'",
        "open, '/proc/1/fd/0', 'rb'",
        "os.readlink, '/proc/1/root'",
        "call, 'ptrace', 16, 1, 0, 0",
        "call, 'ptrace', 0, 0, 0, 0",
        "call, 'process_vm_readv', 1, 0, 0, 0, 0, 0",
        "call, 'syscall', 438, 3, 0, 0",
        "call, 'prlimit', 1, 7, 0, 0",
        "call, 'prctl', 4, 0, 0, 0, 0",
        "os.setpriority, os.PRIO_PROCESS, 1, 19",
        "os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0)",
        f"os.kill, {os.getpid()}, 0",
        "os.kill, -1, 0",
    )


async def test_pid_1_outlives_every_signal(containers: Asking) -> None:
    made = await containers.made()
    code = "import os\nfor n in range(1, 65):\n    os.kill(1, n)\nos.getppid()"
    assert await containers.logs(made, "x = 1\n" + code) == "1\n"
    assert await containers.logs(made, "x") == "1\n"


async def test_no_right_can_be_had(containers: Asking) -> None:
    await _refused(
        containers,
        "os.setuid, 0",
        "os.setgroups, [0]",
        "os.mknod, '/mnt/data/disk', 0o600 | 0o060000, os.makedev(8, 0)",
        "os.mknod, '/mnt/data/memory', 0o600 | 0o020000, os.makedev(1, 1)",
        "os.chroot, '/tmp'",
        "call, 'unshare', 0x10000000",
        "call, 'unshare', 0x00020000",
        "call, 'mount', b'proc', b'/tmp', b'proc', 0, 0",
        "call, 'umount2', b'/mnt/data', 2",
        "call, 'syscall', 321, 0, 0, 0",
        "call, 'syscall', 425, 8, 0",
        "call, 'syscall', 319, b'x', 0",
        "call, 'syscall', 323, 0",
        "call, 'shmget', 1, 4096, 0o1600",
        "open, '/proc/sys/kernel/hostname', 'w'",
        "open, '/dev/mem', 'rb'",
        "open, '/dev/kmsg', 'rb'",
    )  # fmt: skip


async def test_a_file_that_sets_the_user_gives_nothing(containers: Asking) -> None:
    made = await containers.made()
    code = (
        "import os, shutil, sys\nshutil.copy(sys.executable, 'mine')\nos.chmod('mine', 0o6777)\n"
        "pid = os.fork()\nif pid == 0:\n"
        "    os.execve('./mine', ['mine', '-S', '-c', 'import os; print(os.geteuid())'], {'PYTHONHOME': '/opt/python',"
        " 'LD_LIBRARY_PATH': '/opt/python/lib'})\nos.wait(); None"
    )
    assert await containers.logs(made, code) == "65534\n"
    folder = adapter_of(containers.served.stack, "containers")._folders / made
    assert folder.stat().st_mode & 0o077 == 0


async def test_our_own_files_cannot_be_written(containers: Asking) -> None:
    ours = "/opt/driver/runtime/providers/containers/bubblewrap/inside/supervisor.py"
    await _refused(
        containers,
        f"open, {ours!r}, 'w'",
        f"os.remove, {ours!r}",
        "open, '/opt/packages/pandas/__init__.py', 'a'",
        "open, '/opt/python/lib/evil', 'w'",
        "open, '/opt/bytecode/evil', 'w'",
        "open, '/usr/lib/evil', 'w'",
        "open, '/evil', 'w'",
        "open, '/dev/evil', 'w'",
        "os.rename, '/mnt/data', '/mnt/other'",
    )


@pytest.mark.parametrize("target", ["/etc/passwd", "../../../../../../etc/passwd", "/proc/self/environ", "."])
async def test_a_link_is_never_followed_from_outside(containers: Asking, target: str) -> None:
    made = await containers.made()
    await containers.put(made, "real.txt", b"real")
    await containers.logs(made, f"import os; os.symlink({target!r}, 'link'); os.symlink({target!r}, 'real2')")
    assert [*await containers.files(made)] == ["/mnt/data/real.txt"]
    file_id = (await containers.files(made))["/mnt/data/real.txt"]["id"]
    await containers.logs(made, f"os.remove('real.txt'); os.symlink({target!r}, 'real.txt')")
    assert (await containers.ask("GET", f"/{made}/files/{file_id}/content")).status == 404
    sent = await containers.put(made, "link", b"new")
    assert await containers.content(made, "/mnt/data/link") == b"new" and sent["bytes"] == 3
    assert "root" in Path("/etc/passwd").read_text()


async def test_a_folder_that_becomes_a_link_leads_nowhere(containers: Asking) -> None:
    made = await containers.made()
    await containers.logs(made, "import os; os.mkdir('etc'); open('etc/passwd', 'w').write('mine')")
    file_id = (await containers.files(made))["/mnt/data/etc/passwd"]["id"]
    adapter = adapter_of(containers.served.stack, "containers")
    data = adapter._folders / made / "data"
    (data / "etc" / "passwd").unlink()
    (data / "etc").rmdir()
    (data / "etc").symlink_to("/etc")
    for method in ("GET", "DELETE"):
        path = f"/{made}/files/{file_id}" + ("/content" if method == "GET" else "")
        assert (await containers.ask(method, path)).status in (400, 404)
    assert Path("/etc/passwd").exists()


async def test_what_is_no_file_is_not_opened(containers: Asking) -> None:
    made = await containers.made()
    code = "import os, socket\nos.mkfifo('pipe')\nsocket.socket(socket.AF_UNIX).bind('socket')\nos.mkdir('folder')"
    await containers.logs(made, code)
    assert await containers.files(made) == {}
    data = adapter_of(containers.served.stack, "containers")._folders / made / "data"
    assert {path.name for path in data.iterdir()} == {"pipe", "socket", "folder"}
    await containers.put(made, "pipe", b"now a file")
    assert await containers.content(made, "/mnt/data/pipe") == b"now a file"


async def test_forged_answers_reach_nobody(containers: Asking) -> None:
    made = await containers.made()
    code = (
        "import os, json\nbody = json.dumps({'nonce': 'x', 'error': None, 'limit': None, 'figures': ['/etc/passwd']})"
        ".encode()\nfor n in range(0, 300):\n"
        "    try: os.write(n, len(body).to_bytes(4, 'big') + body)\n    except OSError: pass\n"
    )
    run = await containers.run(made, code)
    assert run.error == "The Python process answers what it was not asked." and run.images == []
    assert (await containers.run(made, "1")).logs == "1\n"


async def test_an_answer_that_is_forged_well_says_no_more_than_output_does(containers: Asking) -> None:
    made = await containers.made()
    code = (
        "import json, os, sys\nframe = sys._getframe()\nwhile 'asked' not in frame.f_locals: frame = frame.f_back\n"
        "said = frame.f_locals\nbody = json.dumps({'nonce': said['asked']['nonce'], 'error': None, 'limit': None,"
        " 'figures': ['../../etc/passwd', 'there.png'], 'is_over': 'x'}).encode()\n"
        "os.write(said['results'], len(body).to_bytes(4, 'big') + body)\nimport time; time.sleep(60)"
    )
    run = await containers.run(made, code)
    assert run.images == [] and run.files == []
    after = await containers.run(made, "1", 5.0)
    assert after.limit in (None, "time") or after.error
    assert (await containers.run(made, "1 + 1", 5.0)).logs == "2\n"


async def test_names_are_data(containers: Asking) -> None:
    made = await containers.made()
    code = (
        "import os\nnames = [b'\\xff\\xfe', b'a\\nb', b'-rf *', b'x' * 255, '\u202e\u2603'.encode(), b'\"; drop']\n"
        "for name in names: open(name, 'wb').write(name)\n"
        "place = '/mnt/data'\nfor n in range(100):\n    place += '/' + 'd' * 30\n    try: os.mkdir(place)\n"
        "    except OSError: break\nprint(n)"
    )
    assert await containers.logs(made, code) == "99\n"
    files = await containers.files(made)
    assert len(files) == 6 and "/mnt/data/\\xff\\xfe" in files and "/mnt/data/a\nb" in files
    for path in files:
        assert await containers.content(made, path)
    assert (await containers.ask("DELETE", f"/{made}")).status == 200
    assert not (adapter_of(containers.served.stack, "containers")._folders / made).exists()


async def test_a_folder_that_is_closed_can_still_be_removed(containers: Asking) -> None:
    made = await containers.made()
    code = "import os\nos.makedirs('a/b')\nopen('a/b/c', 'w').write('x')\nos.chmod('a/b', 0)\nos.chmod('a', 0)"
    await containers.logs(made, code)
    assert (await containers.sent(made, file(b"x"))).status == 200
    assert (await containers.ask("DELETE", f"/{made}")).status == 200


async def test_folders_without_end_are_ended_and_removed(containers: Asking) -> None:
    made = await containers.made()
    await containers.put(made, "a.txt", b"kept")
    code = "import os\nfor n in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\nwhile True: pass"
    run = await containers.run(made, code)
    assert run.error is None and run.limit == "disk", run
    assert await containers.logs(made, "import os; print(os.listdir())") == "['a.txt']\n"
    assert (await containers.ask("DELETE", f"/{made}")).status == 200


async def test_folders_that_no_path_leads_to_are_removed(tmp_path: Path) -> None:
    """Deeper than a function may call itself, and than a path may be long."""
    folder = Folder(tmp_path / "container")
    folder.make()
    for top, depth in (("d", 1100), ("e", 2100)):
        holder = os.open(folder.data, os.O_RDONLY)
        for place in range(depth):
            name = top if place == 0 else "d"
            os.mkdir(name, dir_fd=holder)
            inner = os.open(name, os.O_RDONLY, dir_fd=holder)
            os.close(holder)
            holder = inner
        os.close(holder)
    folder.make_room([], disk_bytes=64 * 1024**2, max_files=1500)
    assert [path.name for path in folder.data.iterdir()] == ["d"]
    folder.destroy()
    assert not folder.path.exists()


async def test_what_cannot_be_removed_keeps_nothing_else(containers: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = adapter_of(containers.served.stack, "containers")
    gone = [adapter._folder(f"cntr_gone_{n}") for n in range(3)]
    for folder in gone:
        folder.make()
    destroy = Folder.destroy

    def fails_for_one(folder: Folder) -> None:
        if folder.path == gone[1].path:
            raise OSError(errno.EPERM, "not permitted")
        destroy(folder)

    monkeypatch.setattr(Folder, "destroy", fails_for_one)
    with pytest.raises(OSError, match="not permitted"):
        await adapter.sweep_now()
    assert [folder.path.exists() for folder in gone] == [False, True, False]
    monkeypatch.undo()
    await adapter.sweep_now()
    assert not gone[1].path.exists()


@pytest.mark.parametrize("ends", ["raise ValueError({half})", "import sys; sys.exit({half})"])
async def test_half_a_character_in_an_exception_is_told(containers: Asking, ends: str) -> None:
    made = await containers.made()
    run = await containers.run(made, ends.format(half="'a' + chr(0xd800) + 'b'"))
    assert run.error is not None and "a?b" in run.error
