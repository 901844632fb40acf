"""Cline: https://docs.cline.bot/provider-config/openai-compatible"""

from llama_cli.clients._client import Client, entered_by_hand

CLIENT = Client(
    summary="a coding agent in VS Code",
    page="https://docs.cline.bot/provider-config/openai-compatible",
    text=entered_by_hand,
)
