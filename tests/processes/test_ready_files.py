"""A ready file goes with a real server, also where no command line is there to remove it."""

from __future__ import annotations

import json
import os
import signal

import psutil
import pytest

from tests.support.stack_home import Home

pytestmark = pytest.mark.e2e


def test_a_detached_server_removes_its_ready_file_itself(home: Home) -> None:
    with home.served("remote") as server:
        [ready] = [file for file in home.folder.glob("ready-*.json") if json.loads(file.read_text()) == server.ready]
        process = psutil.Process(server.pid)
        os.kill(server.pid, signal.SIGTERM)
        psutil.wait_procs([process], timeout=30)
        assert not ready.exists()
