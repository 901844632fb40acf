"""What all layers share: options, limits, reports, and what is made once a run."""

from __future__ import annotations

import os

# One thread a worker: two of them share the cores. Before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import signal

import hypothesis
import pytest
from hypothesis.internal.conjecture import providers

from tests.support import garbage, hanging, ik_llama_cpp, layers, llama_cpp, messages, postgres, report, shared


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("llama stack")
    group.addoption(
        "--stack-config",
        metavar="NAME|FILE|URL",
        help="run tests/processes/clients against this stack (default: ci-tests, built here)",
    )
    group.addoption(
        "--text-model", metavar="MODEL", help="the model that they chat with (default: the first one served)"
    )
    group.addoption(
        "--embedding-model", metavar="MODEL", help="the model that they embed with (default: the first one served)"
    )
    group.addoption("--update-snapshots", action="store_true", help="write the snapshots of tables anew")
    group.addoption("--screens", metavar="DIR", help="keep what tests see on terminals here, as text")


# A script that runs the tests by `&`, or `nohup`, turns these off, also for every program that a test starts and
# interrupts. What Python handles, even by doing nothing, is on again in those.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


# What a test does is nothing for the collector of whoever runs it.
for name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[name]

# The same examples each time, however busy the machine is, and whatever else is loaded. By itself Hypothesis reads
# every module of ours that is, and draws some of the constants in it: on a new machine 4.5 s of CPU of each worker.
assert callable(providers._get_local_constants)
providers._get_local_constants = lambda: providers._local_constants
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tests")


def pytest_configure(config: pytest.Config) -> None:
    for plugin in (garbage, hanging, ik_llama_cpp, layers, llama_cpp, messages, postgres, report, shared):
        config.pluginmanager.register(plugin)
