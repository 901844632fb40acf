"""A process that forks, as servers of other programs do with the library client in them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os
from runtime.telemetry.trace_context import new_trace_id
new_trace_id()
if (pid := os.fork()):
    os.waitpid(pid, 0)
print(new_trace_id())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_it_has_other_ids_than_the_one_it_comes_from() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    theirs, ours = said.stdout.split()
    assert theirs != ours
