"""SambaNova at wire level with a Llama Guard: what its documentation says is refused is refused."""

from __future__ import annotations

from runtime.conformance.upstream import Habits
from tests.conformance.inference.vendors.sambanova import LIMITS, UNREAD, check, error
from tests.support.guard_model import GuardModel

GUARD = "Meta-Llama-Guard-3-8B"


class SambaNova(GuardModel):
    def __init__(self) -> None:
        super().__init__(Habits(unread_fields=UNREAD, error=error, check=check, headers=LIMITS), template=True)
        self.models = [GUARD, "Meta-Llama-3.3-70B-Instruct"]
