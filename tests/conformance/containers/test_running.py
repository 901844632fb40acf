"""Code in a container: what it defines, shows and leaves, and its bounds, each by its name."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from runtime.conformance.stacks import adapter_of, serving
from tests.conformance.containers.asking import Asking
from tests.conformance.containers.conftest import config
from tests.support.descendants import command_line, descendants

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_code_defines_stays_and_its_last_expression_is_shown(containers: Asking) -> None:
    made = await containers.made()
    first = await containers.run(made, "def twice(n):\n    return 2 * n\nprint('said')\ntwice(21)")
    assert first.logs == "said\n42\n" and first.is_fresh and first.error is None
    second = await containers.run(made, "twice('\u2603'); None")
    assert second.logs == "" and not second.is_fresh
    assert await containers.logs(made, "_ + 1") == "43\n"


async def test_an_exception_says_where_in_the_code(containers: Asking) -> None:
    made = await containers.made()
    run = await containers.run(made, "def f():\n    return 1 / 0\nf()")
    assert run.error is not None and run.error.startswith("Traceback") and "return 1 / 0" in run.error
    assert run.error.endswith("ZeroDivisionError: division by zero") and "worker.py" not in run.error
    assert (await containers.run(made, "f(")).error.endswith("SyntaxError: '(' was never closed")  # type: ignore[union-attr]
    assert (await containers.run(made, "raise SystemExit(3)")).error == "SystemExit: 3"
    assert (await containers.run(made, "exit()")).error is None
    assert await containers.logs(made, "f.__name__") == "'f'\n"


async def test_output_of_every_kind_is_in_its_order(containers: Asking) -> None:
    made = await containers.made()
    code = (
        "import os, sys\nprint('a')\nprint('b', file=sys.stderr)\nos.write(1, b'c\\xff\\n')\n"
        "if os.fork() == 0:\n    print('d')\n    os._exit(0)\nos.wait()\nprint('\\udcff')"
    )
    assert await containers.logs(made, code) == "a\nb\nc\ufffd\nd\n\\udcff\n"


async def test_figures_are_kept_as_images(containers: Asking) -> None:
    made = await containers.made()
    await containers.put(made, "figure-1.png", b"mine")
    code = "import matplotlib.pyplot as plt\nfor n in range(2):\n    plt.figure()\n    plt.plot([n, 2])\nplt.show()"
    run = await containers.run(made, code)
    assert run.error is None and run.logs == "", run
    assert [image.path for image in run.images] == ["/mnt/data/figure-2.png", "/mnt/data/figure-3.png"]
    assert (await containers.content(made, "/mnt/data/figure-2.png")).startswith(b"\x89PNG")
    assert await containers.content(made, "/mnt/data/figure-1.png") == b"mine"
    assert [image.path for image in (await containers.run(made, "1")).images] == []


async def test_data_packages_are_there(containers: Asking) -> None:
    made = await containers.made()
    code = (
        "import numpy as np, pandas as pd\nfrom PIL import Image\n"
        "pd.DataFrame({'a': np.arange(3)}).to_excel('a.xlsx')\nImage.new('RGB', (2, 2)).save('a.png')\n"
        "int(pd.read_excel('a.xlsx')['a'].sum())"
    )
    run = await containers.run(made, code)
    assert run.logs == "3\n" and {file.path for file in run.files} == {"/mnt/data/a.xlsx", "/mnt/data/a.png"}
    assert run.images == []


async def test_files_are_told_of_when_they_are_new_or_changed(containers: Asking) -> None:
    made = await containers.made()
    await containers.put(made, "old.txt", b"old")
    run = await containers.run(made, "open('new.txt', 'w').write('1'); None")
    assert [(file.path, file.source) for file in run.files] == [("/mnt/data/new.txt", "assistant")]
    changed = await containers.run(made, "open('old.txt', 'a').write('er'); None")
    assert [(file.path, file.bytes) for file in changed.files] == [("/mnt/data/old.txt", 5)]
    assert (await containers.run(made, "import os; os.remove('new.txt')")).files == []
    assert [*await containers.files(made)] == ["/mnt/data/old.txt"]


DEAF = """
import signal
for n in range(1, 65):
    try: signal.signal(n, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass
"""
REMOVED = """
import os
a = []
while True:
    f = open('x', 'wb')
    os.remove('x')
    a.append(f)
    f.write(bytes(2**24))
    f.flush()
"""
CLOSED = """
import os
os.mkdir('d')
os.chmod('d', 0o300)
n = 0
while True:
    n += 1
    open(f'd/{n}', 'wb').write(bytes(2**20))
"""


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("while True: pass", "time"),
        ("import time; time.sleep(60)", "time"),
        (DEAF, "time"),
        ("a = []\nwhile True: a.append(bytearray(2**26))", "memory"),
        ("a = bytearray(2**40)", "memory"),
        ("import os\nfor n in range(4): os.fork()\na = b'x' * 2**28\nimport time; time.sleep(9)", "memory"),
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "processes"),
        ("import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()", "processes"),
        ("while True: print('x' * 1000)", "output"),
        ("import os\nwhile True: os.write(2, b'x' * 65536)", "output"),
        ("f = open('big', 'wb')\nwhile True: f.write(bytes(2**20))", "disk"),
        ("n = 0\nwhile True:\n    n += 1\n    open(f'{n}.bin', 'wb').write(bytes(2**20))", "disk"),
        ("import os\nfor n in range(1000):\n    os.mkdir(str(n))\nimport time; time.sleep(9)", "disk"),
        (REMOVED, "disk"),
        (CLOSED, "disk"),
    ],
)
async def test_what_exceeds_a_bound_ends_with_its_name(containers: Asking, code: str, limit: str) -> None:
    made = await containers.made()
    await containers.put(made, "kept.txt", b"kept")
    began = time.monotonic()
    run = await containers.run(made, code, 2.0 if limit == "time" else 15.0)
    assert run.limit == limit, run
    assert time.monotonic() - began < 14
    assert len(run.logs) < 5000
    more = "print(open('kept.txt').read())\nfor n in range(9): open(f'more-{n}', 'w').write('more')"
    after = await containers.run(made, more)
    assert after.is_fresh and after.logs.startswith("kept\n") and after.limit is None and after.error is None, after
    assert await containers.content(made, "/mnt/data/kept.txt") == b"kept"


async def test_processor_time_of_all_processes_counts(containers: Asking) -> None:
    made = await containers.made()
    code = "import os\nfor n in range(3): os.fork()\nwhile True: pass"
    adapter = adapter_of(containers.served.stack, "containers")
    assert adapter._running._config.run_cpu_s == 120
    run = await containers.run(made, code, 1.0)
    assert run.limit == "time"


async def test_much_output_is_cut_and_the_code_goes_on(containers: Asking) -> None:
    made = await containers.made()
    run = await containers.run(made, "print('x' * 100_000)\ny = 1")
    assert run.logs.startswith("x" * 4000) and run.logs.endswith("[the rest of the output is left out]\n")
    assert len(run.logs) < 5000 and run.limit is None
    assert await containers.logs(made, "y") == "1\n"


async def test_nothing_runs_between_runs(containers: Asking) -> None:
    made = await containers.made()
    code = (
        "import os, threading\nn = [0]\ndef count():\n    while True: n[0] += 1\n"
        "threading.Thread(target=count, daemon=True).start()\n"
        "if os.fork() == 0:\n    while True: pass\nNone"
    )
    await containers.logs(made, code)
    running = [process for process in _below(containers) if process.status() == psutil.STATUS_STOPPED]
    assert len(running) >= 2
    before = sum(sum(process.cpu_times()[:2]) for process in running)
    await containers.served.client.get("/v1/containers")
    began = time.process_time()
    while time.process_time() - began < 0.3:
        pass
    assert sum(sum(process.cpu_times()[:2]) for process in running) - before < 0.05
    assert int(await containers.logs(made, "n[0]")) > 0


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os._exit(3)", "exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    ],
)
async def test_a_process_that_ends_itself_is_told_of_and_followed_by_another(
    containers: Asking, code: str, words: str
) -> None:
    made = await containers.made()
    await containers.logs(made, "x = 1")
    run = await containers.run(made, code)
    assert run.error is not None and words in run.error and run.limit is None
    assert (await containers.run(made, "x")).is_fresh


def _below(containers: Asking) -> list[psutil.Process]:
    """Every process that this one has started, or that these have."""
    return descendants()


async def test_stopping_the_stack_leaves_no_process(can_isolate: None, tmp_path: Path) -> None:
    before = {process.pid for process in descendants()}
    async with serving(config(), tmp_path) as served:
        asking = Asking(served, served.stack.api("containers"))
        await asking.logs(await asking.made(), "import os\nif os.fork() == 0:\n    while True: pass\nNone")
        assert {process.pid for process in descendants()} - before
    assert {process.pid for process in descendants()} <= before


async def test_an_idle_process_ends_and_its_files_stay(can_isolate: None, tmp_path: Path) -> None:
    before = {process.pid for process in descendants()}
    async with serving(config(idle_s=0.001), tmp_path) as served:
        asking = Asking(served, served.stack.api("containers"))
        made = await asking.made()
        await asking.logs(made, "x = 1; open('a.txt', 'w').write('a'); None")
        adapter = adapter_of(served.stack, "containers")
        while adapter._processes._slots:
            await adapter.sweep_now()
        left = await asyncio.to_thread(_of_containers, before)
        assert left == [] and [*await asking.files(made)] == ["/mnt/data/a.txt"]
        assert (await asking.run(made, "x")).is_fresh


async def test_a_caller_who_leaves_ends_what_runs(containers: Asking) -> None:
    made = await containers.made()
    await containers.logs(made, "x = 1")
    adapter = adapter_of(containers.served.stack, "containers")
    [process] = [slot.process for name, slot in adapter._processes._slots.items() if name == made]
    left = asyncio.create_task(containers.run(made, "while True: pass"))
    while process.runs < 2:
        await asyncio.sleep(0)
    left.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait({left})
    assert left.cancelled() and process.has_ended
    assert (await containers.run(made, "x")).is_fresh


def _of_containers(before: set[int]) -> list[psutil.Process]:
    """The processes of containers that were started since; not that which compiles packages."""
    new = [process for process in descendants() if process.pid not in before]
    return [process for process in new if any("supervisor" in part for part in command_line(process))]
