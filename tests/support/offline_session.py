"""A user's session without a network, told as JSON: serve what was built, chat, embed, stop.

Run inside a network namespace with loopback only: `python FILE DISTRO`. Standard library only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any


def main(distribution: str) -> dict[str, Any]:
    llama = [sys.executable, "-m", "llama_cli.main", "stack"]
    run = subprocess.run([*llama, "run", distribution, "--port", "0", "--detach", "--json"], capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    ready = json.loads(run.stdout)
    try:
        models = {model["model_type"]: model["id"] for model in ask(f"{ready['url']}/v1/models")["data"]}
        hello = [{"role": "user", "content": "Hello"}]
        chat = {"model": models["llm"], "messages": hello, "max_tokens": 5}
        return {
            "chat": ask(f"{ready['url']}/v1/chat/completions", chat),
            "embeddings": ask(f"{ready['url']}/v1/embeddings", {"model": models["embedding"], "input": "Hello"}),
            "sockets": sockets(ready["pid"]),
            "unreachable": unreachable(),
        }
    finally:
        subprocess.run([*llama, "stop", ready["id"]], capture_output=True, check=True)


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())


def sockets(pid: int) -> list[str]:
    """Where the server's sockets lead, by the kernel's tables of them: `address:port`, in hexadecimal."""
    inodes = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()}
    found = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = line.split()
            if f"socket:[{columns[9]}]" in inodes:
                found.append(columns[2])
    return found


def unreachable() -> int:
    """How often anything here tried to reach an address that no route leads to, since this namespace exists."""
    names, values = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:")]
    six = re.search(r"Ip6OutNoRoutes\s+(\d+)", Path("/proc/net/snmp6").read_text())
    return int(values[names.index("OutNoRoutes")]) + int(six[1] if six else 0)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
