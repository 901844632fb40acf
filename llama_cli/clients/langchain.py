"""LangChain: https://docs.langchain.com/oss/python/integrations/chat/openai"""

import json

from llama_cli.asking.reach import KEY_VARIABLE
from llama_cli.clients._client import Client, Server


def _text(server: Server) -> str:
    key = f'os.environ["{KEY_VARIABLE}"]' if server.has_key else '"none"'
    above = "import os\n\n" if server.has_key else ""
    return (
        f"{above}from langchain_openai import ChatOpenAI\n\n"
        f'chat = ChatOpenAI(base_url="{server.base_url}", api_key={key}, model={json.dumps(server.model)})\n'
        'print(chat.invoke("Hi").content)'
    )


CLIENT = Client(
    summary="LangChain in Python",
    page="https://docs.langchain.com/oss/python/integrations/chat/openai",
    # https://reference.langchain.com/python/langchain-openai/chat_models/base/BaseChatOpenAI
    variables=lambda server: {"OPENAI_API_BASE": server.base_url, "OPENAI_API_KEY": server.key},
    text=_text,
    is_library=True,
)
