"""A vector store with two files, made by any client that has OpenAI's methods for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

QUESTION = "Who grazes?"
WILD = {"type": "eq", "key": "wild", "value": True}
"""A filter that leaves one of the files."""


@dataclass
class AnimalStore:
    """at: a client. files: their ids. Both can be found once it is made."""

    at: Any
    files: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.id = self.at.vector_stores.create(name="animals").id
        for animal, is_wild in (("llama", False), ("guanaco", True)):
            text = f"# The {animal}\n\nA {animal} grazes on the heights.\n"
            file = self.at.files.create(file=(f"{animal}.md", text.encode()), purpose="assistants")
            self.files.append(file.id)
            self.at.vector_stores.files.create(vector_store_id=self.id, file_id=file.id, attributes={"wild": is_wild})
        while self._counts()["in_progress"]:
            time.sleep(0.05)
        assert self._counts()["completed"] == 2

    def remove(self) -> bool:
        """Whether the store and its files were deleted."""
        answers = [self.at.files.delete(file).deleted for file in self.files]
        return all([*answers, self.at.vector_stores.delete(vector_store_id=self.id).deleted])

    def _counts(self) -> dict[str, int]:
        return dict(self.at.vector_stores.retrieve(vector_store_id=self.id).file_counts)
