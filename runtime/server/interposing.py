"""What the options of a server put between its providers and their servers: recordings and faults. Imports what is used
alone: most servers have neither.
"""

from __future__ import annotations

import argparse
import logging
import os
from typing import TYPE_CHECKING

from runtime.server.masking import Hidden

if TYPE_CHECKING:
    from runtime.config.run_config import RunConfig
    from runtime.faults.injection import Faults
    from runtime.recording.session import Session
    from runtime.stack.interposed import Interposed
    from runtime.stack.plan import Plan

log = logging.getLogger("runtime.server")


def read_session(options: argparse.Namespace, hidden: Hidden, *, is_fresh: bool) -> Session | None:
    """What is recorded or replayed; None for nothing. is_fresh: whether nothing was kept in the state folder before.
    Raises RecordingError, and ConfigInvalid for a pattern.
    """
    folders = {"record": options.record, "replay": options.replay, "record-if-missing": options.record_if_missing}
    mode = next((mode for mode, folder in folders.items() if folder is not None), None)
    if mode is None:
        return None
    from runtime.recording.session import RecordingChoice, Session

    choice = RecordingChoice(
        mode=mode,  # type: ignore[arg-type]  # one of its words
        folder=folders[mode],
        is_timed=options.timing == "recorded",
        hidden=tuple(options.redact),
    )
    session = Session(choice, secrets=lambda: hidden.values)
    if session.replays and is_fresh:
        from runtime.recording.steady import make_steady

        make_steady()
    elif session.replays:
        log.warning("ids and times differ from those of another replay: the state folder is not new")
    log.info("recordings", extra={"mode": choice.mode, "folder": str(choice.folder)})
    return session


def read_faults(options: argparse.Namespace, planned: Plan) -> Faults | None:
    """What goes wrong on purpose; None for nothing. Raises ConfigInvalid."""
    if not options.inject:
        return None
    from runtime.faults import parsing
    from runtime.stack.interposed import faults_of

    faults = faults_of(planned, parsing.read_faults(options.inject), seed=options.inject_seed)
    log.warning("faults are injected", extra={"faults": "; ".join(options.inject), "seed": options.inject_seed})
    return faults


def interposed_of(session: Session | None, run: RunConfig, planned: Plan, faults: Faults | None) -> Interposed | None:
    """Both for a stack; None for neither."""
    if session is None and faults is None:
        return None
    from runtime.recording.manifest import recorded_variables
    from runtime.stack.interposed import Interposed

    set_here = {use.variable: os.environ[use.variable] for use in run.uses if os.environ.get(use.variable)}
    return Interposed(session, variables=recorded_variables(set_here, secrets=planned.secrets()), faults=faults)
