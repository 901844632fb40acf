"""Gemini's own form of chat and embeddings, between OpenAI's requests and answers: the same at Google's developer API
and at Vertex AI.

`requests.py` makes a request, of `contents.py`, `parts.py`, `tool_use.py` and `generation.py`; `answers.py` reads a
whole answer and `streams.py` a streamed one, of `candidates.py` and `grounding.py`; `generating.py` sends one and
returns the other. All but the last are pure.
"""
