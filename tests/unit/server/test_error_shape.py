"""An error as it goes out: readable whatever it quotes."""

from __future__ import annotations

import json

from runtime.errors import NotFound, Unavailable
from runtime.server.doors import DoorErrors
from runtime.server.errors import quoted
from runtime.server.masking import Hidden
from tests.support.terminal import HOSTILE, steering


def test_what_an_error_quotes_steers_no_terminal() -> None:
    said = json.loads(DoorErrors().json(NotFound(f"`{HOSTILE}`\nis not", hint=HOSTILE, param=HOSTILE), request_id="r"))
    assert steering(said["error"]["message"]) == steering(said["error"]["param"]) == set()
    assert "`\nis not\nhint: " in said["error"]["message"] and said["request_id"] == "r"


def test_an_error_quotes_no_secret_of_the_config() -> None:
    errors = DoorErrors(hidden=Hidden(["canary-of-an-error"]))  # as the server has it of every secret of its plan
    said = errors.json(Unavailable("refused canary-of-an-error", hint="not `canary-of-an-error`"), request_id="r")
    assert json.loads(said)["error"]["message"] == "refused ********\nhint: not `********`"


def test_an_error_is_no_longer_than_a_person_reads() -> None:
    assert len(DoorErrors().json(NotFound("x" * 1_000_000, param="y" * 1_000_000), request_id="r")) < 20_000
    assert len(quoted("x" * 1_000_000)) < 200
    assert "\n" not in quoted("a\nb")
