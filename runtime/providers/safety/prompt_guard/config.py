"""Settings of Prompt Guard, and what a shield or a request may tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from runtime.catalog.weights import find_model
from runtime.errors import StackError

GuardType = Literal["injection", "jailbreak"]
FOLDER = "a Prompt Guard folder, as Hugging Face has it"
_GUARD_TYPE = (
    "What is looked for: `injection`, instructions to the model in what a user, a document or a tool says, jailbreaks"
    " among them; or `jailbreak` alone. Prompt Guard 2 does not tell them apart."
)


class PromptGuardParams(BaseModel):
    """`params` of a shield, or of one request."""

    model_config = ConfigDict(extra="forbid")

    guard_type: GuardType | None = Field(None, description=f"{_GUARD_TYPE} Default: that of the provider.")
    threshold: float | None = Field(
        None, gt=0, le=1, description="The score from which a text is flagged. Default: that of the provider."
    )


class PromptGuardConfig(BaseModel):
    """Which model, where it runs and what it looks for."""

    model_config = ConfigDict(extra="forbid")

    guard_type: GuardType = Field("injection", description=_GUARD_TYPE)
    threshold: float = Field(0.5, gt=0, le=1, description="The score from which a text is flagged.")
    model: str | None = Field(
        None,
        min_length=1,
        description="The model of all its shields, loaded at the start: one that was downloaded, such as"
        f" `Llama-Prompt-Guard-2-86M`, or the path of {FOLDER}. By default each shield's own, which its"
        " `provider_shield_id` names and its first request loads.",
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N.")
    load_timeout_s: float = Field(
        120.0, gt=0, description="How long a request waits for `model` while that is loaded, in seconds."
    )

    def weights_not_here(self, models_dir: Path) -> dict[str, StackError | None]:
        """See `runtime/stack/weights.py`."""
        if self.model is None:
            return {}
        try:
            find_model(self.model, {}, what=FOLDER, models_dir=models_dir)
        except StackError as error:
            return {"model": error}
        return {"model": None}
