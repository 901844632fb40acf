"""The application's tests. None of them knows a model, a key or an address."""

from __future__ import annotations

import app
import openai


def test_a_greeting_has_the_name(llama_stack) -> None:
    assert "Ada" in app.greet("Ada")


def test_a_note_is_found_and_answered_from(llama_stack) -> None:
    note = app.keep("lighthouse", "The keeper of the lighthouse of Skagen is called Ingeborg Mortensen.")
    found = openai.OpenAI().vector_stores.search(note.store_id, query="Who keeps the lighthouse?")
    assert "Ingeborg" in found.data[0].content[0].text
    assert app.ask(note, "Who is the keeper of the lighthouse?")


def test_what_is_made_is_the_same_each_time(llama_stack) -> None:
    note = app.keep("days", "The shop is open on Tuesdays.")
    store = openai.OpenAI().vector_stores.retrieve(note.store_id)
    assert store.file_counts.completed == 1 and store.created_at > 0
