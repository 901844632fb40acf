"""What a server in front writes where no terminal is: JSON lines, as containers want them."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.stack_home import Home

pytestmark = pytest.mark.e2e


def test_the_log_of_a_server_in_front_is_json_where_no_terminal_is(home: Home) -> None:
    process = home.start("stack", "run", "remote", "--port", "0", "-q")
    assert process.stdout is not None
    server_id, url = process.stdout.readline().split()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (out, process.returncode) == ("", 143)
    entries = [json.loads(line) for line in err.splitlines()]
    assert {"serving", "draining"} <= {entry["message"] for entry in entries}
    assert all(entry["time"].endswith("Z") and entry["level"] for entry in entries)
    logged = home("stack", "logs", server_id, "--json", "--tail", str(len(entries)))
    assert [json.loads(line) for line in logged.out.splitlines()] == entries
    shown = home("stack", "logs", server_id, "--tail", "1", TZ="UTC")
    assert shown.err == "" and shown.out.startswith(entries[-1]["time"][:10] + " ")
    assert url.startswith("http://127.0.0.1:")
