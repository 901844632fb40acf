"""Recordings that are asked anew: by whom, and what is said of how their answers have changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from llama_cli.configs.reading import while_reading
from llama_cli.exits import ExitCode
from llama_cli.kept import admin
from llama_cli.kept.whose import owner_of
from llama_cli.options import usual_target
from llama_cli.recordings.stored import Folder
from llama_cli.terminal import console, words
from runtime.recording.documents import Recording

_OUTCOMES = {
    "same": "the same",
    "drifted": "drifted",
    "unreachable": "not reached",
    "not_asked": "not asked",
}


def asked_anew(
    action: str,
    folder: Folder,
    recordings: Sequence[Recording],
    *,
    config: str | None,
    env: list[str] | None,
    env_file: str | None,
    options: Sequence[str],
) -> list[dict[str, Any]]:
    """A row for each recording. config: whose providers; else those of the run.yaml in this folder, or of `starter`.

    Raises Failure where they cannot be asked at all.
    """
    target = config if config is not None else usual_target()
    with while_reading(target, env_file):
        owner = owner_of(target, None, env=env, env_file=env_file, why="its providers are asked")
    names = [folder.name_of(one) for one in recordings]
    what = f"asking the providers of `{owner.name}`"
    return admin.recordings(action, owner, ["--folder", str(folder.path), *options], names=names, what=what)


def say_drift(rows: Sequence[Mapping[str, Any]]) -> None:
    """One line a finding, as compilers write them: what has changed, and what could not be asked."""
    for row in rows:
        for kind in ("schema", "meaning"):
            for one in row[kind]:
                console.row(f"{row['file']}: {kind}: {one['path']}: recorded {one['recorded']}, now {one['now']}")
    for why, names in _not_asked(rows).items():
        console.warn(f"{why}: {words.some(names, 3)}")


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """`12 recordings: 10 the same, 2 drifted`."""
    counts = Counter(row["outcome"] for row in rows)
    told = [f"{counts[name]} {word}" for name, word in _OUTCOMES.items() if counts[name]]
    return f"{words.counted(len(rows), 'recording')}: {', '.join(told)}"


def code_of(rows: Sequence[Mapping[str, Any]]) -> ExitCode:
    """What a comparison's end means: that something has changed counts more than that something could not be asked."""
    outcomes = {row["outcome"] for row in rows}
    if "drifted" in outcomes:
        return ExitCode.DIFFERENT
    return ExitCode.NETWORK if "unreachable" in outcomes else ExitCode.DONE


def _not_asked(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["outcome"] in ("unreachable", "not_asked"):
            found.setdefault(f"{_OUTCOMES[row['outcome']]}: {row['message']}", []).append(row["file"])
    return found
