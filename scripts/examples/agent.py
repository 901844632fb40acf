"""Have data analysed by code, with the `openai` package and a running stack: upload, ask, and get the plot back.

    llama stack run starter
    python scripts/examples/agent.py                                      # a table of llamas beside this file
    python scripts/examples/agent.py sales.csv "Which month was best?" --model openai/gpt-5.2 --to plots

The model writes Python, which runs in a container of the stack: apart from the machine, without a network. What code
prints is shown, and each file that it makes and the answer names is saved. AGENT_MODEL says which model, by default the
first that chats; it should be one that calls tools well, which the small one that comes with the stack does not: where
no code is run, the program says so and exits with 1. OPENAI_BASE_URL says where the stack is, by default here.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from openai import OpenAI
from openai.types.responses import Response, ResponseCodeInterpreterToolCall, ResponseOutputMessage

TABLE = Path(__file__).with_name("llamas.csv")
QUESTION = "How does the weight of a llama depend on its age? Draw it."


def main(path: Path, question: str, model: str | None, to: Path) -> None:
    client = OpenAI(
        base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8321/v1"),
        api_key=os.environ.get("OPENAI_API_KEY", "none"),
    )
    with path.open("rb") as content:
        file = client.files.create(file=content, purpose="user_data")
    response = client.responses.create(
        model=model or first_chat_model(client),
        instructions="You analyse data with Python. Look at the file first; keep what you draw as a PNG file.",
        input=f"The data is in `/mnt/data/{path.name}`. {question}",
        tools=[{"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file.id]}}],
        include=["code_interpreter_call.outputs"],
    )
    show(response)
    for name in saved(client, response, to):
        print(f"saved {name}")
    for container_id in {item.container_id for item in calls_of(response)}:
        client.containers.delete(container_id)
    client.files.delete(file.id)
    if not calls_of(response):
        sys.exit(f"`{response.model}` has run no code: choose one that calls tools well by --model or AGENT_MODEL")


def show(response: Response) -> None:
    """Print what was run, what came of it, and what the model says."""
    for item in response.output:
        if isinstance(item, ResponseCodeInterpreterToolCall):
            print(indented(item.code or "", ">>> "))
            for output in item.outputs or ():
                if output.type == "logs":
                    print(indented(output.logs, "    "))
    print(response.output_text)


def saved(client: OpenAI, response: Response, to: Path) -> list[Path]:
    """Save each file that an answer cites; where they are."""
    found: dict[Path, None] = {}
    messages = [item for item in response.output if isinstance(item, ResponseOutputMessage)]
    parts = [part for message in messages for part in message.content if part.type == "output_text"]
    for cited in [annotation for part in parts for annotation in part.annotations]:
        if cited.type == "container_file_citation":
            content = client.containers.files.content.retrieve(cited.file_id, container_id=cited.container_id)
            to.mkdir(parents=True, exist_ok=True)
            place = to / Path(cited.filename).name
            place.write_bytes(content.read())
            found[place] = None
    return [*found]


def calls_of(response: Response) -> list[ResponseCodeInterpreterToolCall]:
    return [item for item in response.output if isinstance(item, ResponseCodeInterpreterToolCall)]


def indented(text: str, mark: str) -> str:
    return "\n".join(mark + line for line in text.splitlines())


def first_chat_model(client: OpenAI) -> str:
    """AGENT_MODEL, else the first model that chats."""
    if named := os.environ.get("AGENT_MODEL"):
        return named
    return next(model.id for model in client.models.list() if is_chat_model(model.model_dump()))


def is_chat_model(model: dict[str, object]) -> bool:
    facts = model.get("custom_metadata")
    return not isinstance(facts, dict) or facts.get("model_type") == "llm"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=TABLE, help="a table, such as a CSV file")
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("--model", help="as the stack calls it")
    parser.add_argument("--to", type=Path, default=Path(), help="the folder for what the code makes")
    given = parser.parse_args()
    main(given.file, given.question, given.model, given.to)
