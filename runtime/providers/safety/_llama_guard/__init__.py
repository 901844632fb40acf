"""Llama Guard, Meta's classifiers that answer in text: what each version is asked, and what its answers mean.

Data and pure functions. Nothing here asks a model: `conversation.py` reads messages, `prompt.py` writes the task for a
`versions.py` version, `verdict.py` reads the answer, and `moderation.py` says it in OpenAI's categories.
"""
