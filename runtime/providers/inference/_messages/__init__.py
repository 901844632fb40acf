"""Anthropic's Messages between OpenAI's requests and answers.

`requests.py` makes a request, of `conversation.py`, `blocks.py`, `kept.py`, `tool_use.py`, `forms.py`, `schemas.py`,
`sampling.py` and `thinking.py`; `answers.py` reads a whole answer and `streams.py` a streamed one, of `said.py` and
`kept.py`; `models.py` knows in what the models differ. All are pure, but for warnings about what has no effect.
"""
