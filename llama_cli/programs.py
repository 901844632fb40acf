"""Asks another program something, and waits until it has ended.

It gets no standard input, which may be ours to read; and whatever bytes it writes are text: libraries that it loads
write in encodings of their own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence


def answer_of(
    command: Sequence[str], *, limit_s: float | None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What it wrote, and its exit code. environment: ours by default.

    Raises OSError where it cannot be started, and TimeoutExpired after the limit, when it is killed.
    """
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=limit_s,
        check=False,
        env=None if environment is None else dict(environment),
    )
