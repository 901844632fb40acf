"""What whoever is refused is told, where the shield has no words of its own."""

from __future__ import annotations

USER_MESSAGE = "I can't answer that. Can I help with something else?"
"""The words of llama-stack's shields."""
