"""Has a distribution's own interpreter do something with what it keeps: `python -I -m runtime.admin storage ACTION`.

Its databases need packages that the command line does not have.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from llama_cli.exits import BY_STATUS, ExitCode, Failure
from llama_cli.kept.whose import Owner
from llama_cli.terminal.progress import working


def storage(
    action: str,
    owner: Owner,
    environment: Mapping[str, str],
    options: Sequence[str] = (),
    *,
    what: str,
    pass_fds: Sequence[int] = (),
) -> dict[str, Any]:
    """What the action answers. what: it is doing, for who waits. pass_fds: descriptors that `options` name.

    Raises Failure with what keeps it from being done.
    """
    command = [str(owner.python), "-I", "-m", "runtime.admin", "storage", action, str(owner.run_yaml)]
    command += ["--state", str(owner.state_dir), *options]
    answer: dict[str, Any] | None = None
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors, working(what) as step:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8",
            env=dict(environment), pass_fds=pass_fds,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                told = _document(line)
                if told is not None and "done" in told:
                    step.total, step.done, step.detail = told["total"], told["done"], told["what"]
                else:
                    answer = told
        errors.seek(0)
        said = errors.read()
    if answer is None:
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        hint = f"its environment may be of an older version: `llama stack build {owner.name}`"
        raise Failure(f"what `{owner.name}` keeps could not be looked at: {last}", hint=hint, details=said)
    if (error := answer.get("error")) is not None:
        code = ExitCode.CONFIG if error["code"] == "config_invalid" else _CODES.get(error["status"], ExitCode.FAILED)
        raise Failure(error["message"], hint=error["hint"], code=code, details=said)
    return answer


_CODES = {**BY_STATUS, 503: ExitCode.FAILED}
"""A database that is down is no server that is unhealthy."""


def _document(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
