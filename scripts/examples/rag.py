"""Ask a document, with nothing but the `openai` package and a running stack: upload, attach, search, answer.

    llama stack run starter
    python scripts/examples/rag.py                                     # a guide to llamas that lies beside this file
    python scripts/examples/rag.py report.pdf "What does it say about costs?"

Every answer names the passages that it rests on. OPENAI_BASE_URL says where the stack is, by default on this machine.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from openai import OpenAI
from openai.types import VectorStoreSearchResponse

GUIDE = Path(__file__).with_name("llamas.pdf")
QUESTION = "How often are the nails of a llama trimmed?"
LONGEST_WAIT_S = 120


def main(path: Path, question: str) -> None:
    if not path.is_file():
        sys.exit(f"`{path}` is no file")
    client = OpenAI(
        base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8321/v1"),
        api_key=os.environ.get("OPENAI_API_KEY", "none"),
    )
    store = client.vector_stores.create(name=path.name)
    with path.open("rb") as content:
        file = client.files.create(file=content, purpose="assistants")
    client.vector_stores.files.create(store.id, file_id=file.id)
    wait_for(client, store.id, file.id)

    hits = client.vector_stores.search(
        store.id, query=question, max_num_results=3, extra_body={"search_mode": "hybrid"}
    )
    passages = "\n\n".join(f"[{number}] {text_of(hit)}" for number, hit in enumerate(hits, start=1))
    model = next(model.id for model in client.models.list() if is_chat_model(model.model_dump()))
    answer = client.chat.completions.create(
        model=model,
        messages=[
            {
                "role": "system",
                "content": "Answer the question in one sentence, by these passages only.\n\n" + passages,
            },
            {"role": "user", "content": question},
        ],
        temperature=0,
        max_tokens=80,
    )
    print(question)
    print(answer.choices[0].message.content)
    for number, hit in enumerate(hits, start=1):
        print(f"[{number}] {hit.filename}{page_of(hit)}: {' '.join(text_of(hit).split())[:200]}")
    client.vector_stores.delete(store.id)
    client.files.delete(file.id)


def wait_for(client: OpenAI, store_id: str, file_id: str) -> None:
    """Return once the file is indexed. Ends the program if it cannot be."""
    until = time.monotonic() + LONGEST_WAIT_S
    while (file := client.vector_stores.files.retrieve(file_id, vector_store_id=store_id)).status == "in_progress":
        if time.monotonic() > until:
            sys.exit(f"`{file_id}` is not indexed after {LONGEST_WAIT_S} s")
        time.sleep(0.2)
    if file.status != "completed":
        sys.exit(f"`{file_id}` cannot be indexed: {file.last_error.message if file.last_error else file.status}")


def text_of(hit: VectorStoreSearchResponse) -> str:
    return "\n".join(part.text for part in hit.content)


def page_of(hit: VectorStoreSearchResponse) -> str:
    """`, page 3`, where the passage begins, which our stores tell beside OpenAI's fields; "" in what has no pages."""
    facts = (hit.content[0].model_extra or {}).get("metadata") or {}
    return f", page {facts['page_number']}" if facts.get("page_number") else ""


def is_chat_model(model: dict[str, object]) -> bool:
    facts = model.get("custom_metadata")
    return not isinstance(facts, dict) or facts.get("model_type") == "llm"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else GUIDE, sys.argv[2] if len(sys.argv) > 2 else QUESTION)
