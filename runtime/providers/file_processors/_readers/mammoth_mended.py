"""What the library that reads DOCX is taught: links, pictures and notes that lead to nothing are no reason to fail.

Word opens such documents, which other programs write; the library raises KeyError for them. Pictures are not even
looked at, since nothing of them is in the text.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any


@cache
def mend() -> None:
    """Replace what fails in the modules of this process, once. Raises ModuleNotFoundError if it is not installed."""
    relationships: Any = importlib.import_module("mammoth.docx.relationships_xml")
    documents: Any = importlib.import_module("mammoth.documents")
    images: Any = importlib.import_module("mammoth.images")
    files: Any = importlib.import_module("mammoth.docx.files")

    def relationship(element: Any) -> Any:
        said = element.attributes
        return relationships.Relationship(
            relationship_id=said.get("Id"), target=said.get("Target", ""), type=said.get("Type")
        )

    def target(self: Any, key: str) -> str:
        found: str = self._targets_by_id.get(key, "")
        return found

    def note(self: Any, note_type: str, note_id: str) -> Any:
        return self._notes.get((note_type, note_id)) or documents.note(note_type, note_id, [])

    def picture(image: Any) -> dict[str, str]:
        if image.content_type is None:
            raise files.InvalidFileReferenceError("there is no such picture")  # which leaves it out
        return {"src": f"data:{image.content_type};base64,"}

    relationships._read_relationship = relationship
    relationships.Relationships.find_target_by_relationship_id = target
    documents.Notes.find_note = note
    images.data_uri = images.img_element(picture)
