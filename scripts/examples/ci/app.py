"""A small application: answers questions about a note. It knows nothing of tests, and finds its models by the variables
that OpenAI's client reads.
"""

from __future__ import annotations

from dataclasses import dataclass

import openai

MODEL = "meta-reference/SmolLM2-135M-Instruct"


@dataclass
class Note:
    """A note in a vector store."""

    store_id: str


def client() -> openai.OpenAI:
    return openai.OpenAI(max_retries=3)


def greet(name: str) -> str:
    """A greeting in a sentence."""
    answer = client().chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": f"Greet {name} in one short sentence."}],
        max_tokens=30,
        temperature=0,
    )
    return (answer.choices[0].message.content or "").strip()


def keep(name: str, text: str) -> Note:
    """Put a note where it can be found."""
    api = client()
    store = api.vector_stores.create(name=name)
    api.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=(f"{name}.txt", text.encode()))
    return Note(store.id)


def ask(note: Note, question: str) -> str:
    """An answer from the note."""
    answer = client().responses.create(
        model=MODEL,
        input=question,
        tools=[{"type": "file_search", "vector_store_ids": [note.store_id]}],
        max_output_tokens=40,
        temperature=0,
    )
    return answer.output_text.strip()
