"""Settings of the code scanner."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal["low", "medium", "high"]


class CodeScannerParams(BaseModel):
    """`params` of a shield, or of one request."""

    model_config = ConfigDict(extra="forbid")

    severity: Severity | None = Field(
        None, description="The least that a finding must be for code to be flagged. Default: that of the provider."
    )


class CodeScannerConfig(BaseModel):
    """What is flagged, and how long and with how much memory a scan may run."""

    model_config = ConfigDict(extra="forbid")

    severity: Severity = Field(
        "medium",
        description="The least that a finding must be for code to be flagged. Imports of modules that can be misused"
        " are `low`.",
    )
    unread_code: Literal["flag", "pass"] = Field(
        "flag",
        description="What becomes of a block of code in another language, or of Python that is not whole: flagged with"
        " the level `warn`, or passed with a note in `metadata`.",
    )
    timeout_s: float = Field(10.0, gt=0, le=600, description="The longest that one scan may take, in seconds.")
    memory_mb: int = Field(
        1024, ge=256, description="The most memory that one scan may have, in MiB of address space, on Linux."
    )
    at_once: int = Field(2, ge=1, le=64, description="How many scans run at a time; others wait.")
