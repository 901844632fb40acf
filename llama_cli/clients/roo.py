"""Roo Code: https://docs.roocode.com/providers/openai-compatible"""

from llama_cli.clients._client import Client, entered_by_hand

CLIENT = Client(
    summary="a coding agent in VS Code",
    page="https://docs.roocode.com/providers/openai-compatible",
    text=entered_by_hand,
)
