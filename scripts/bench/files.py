"""What files cost, as multiples of one plain chat through the floor, and the memory that a large one takes.

Run: `.venv/bin/python -m scripts.bench.files [--rounds N] [--large-mb N]`. The server is `runtime.server` of this
environment with `inline::localfs` in a temporary folder, so on this disk: every upload is on it, with its name and its
row, when it is answered. One client on one connection sends a form with OpenAI's boundary, as fast as it is taken.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.bench import in_chats, load, measure
from scripts.bench.in_chats import cpu_us
from scripts.bench.servers import Server

_MB = 1024**2
_BOUNDARY = b"0123456789abcdef0123456789abcdef"
_HEAD = (
    b'--%b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
    b'--%b\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' % (_BOUNDARY, _BOUNDARY)
)
_TAIL = b"\r\n--%b--\r\n" % _BOUNDARY
_LISTED, _AT_ONCE = 10_000, 20
_PAGE = load.Work(method="GET", path="/v1/files?limit=100")
_BUDGETS = {"upload of 1 MB": "4", "upload of 100 MB": "250", "page of 100 of 10,000": "3"}
_PROVIDERS = {
    "inference": [],
    "files": [
        {"provider_id": "localfs", "provider_type": "inline::localfs", "config": {"max_file_bytes": 8 * 1024**3}}
    ],
}


def main() -> None:
    parser = in_chats.arguments(__doc__)
    parser.add_argument("--large-mb", type=int, default=2048, help="of the file whose memory is measured")
    options = parser.parse_args()
    with in_chats.bench() as bench:
        ours = bench.serve(_PROVIDERS)
        measure.say(f"uploading {_LISTED} files")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda _: _upload(ours, _LISTED // _AT_ONCE, 100), range(_AT_ONCE)))
        subjects: dict[str, Callable[[], float]] = {
            "upload of 1 MB": lambda: cpu_us(ours, 200, lambda: _upload(ours, 200, _MB)),
            "upload of 100 MB": lambda: cpu_us(ours, 3, lambda: _upload(ours, 3, 100 * _MB)),
            "page of 100 of 10,000": lambda: cpu_us(ours, 1000, _PAGE),
        }
        bench.compare(subjects, _BUDGETS, rounds=options.rounds)
        sizes = [f"{size:.0f}" for size in _peaks_mb(bench.serve(_PROVIDERS), options.large_mb)]
        print(
            "\n" + measure.table(("a new server's most memory, MB: 1 KB", "100 MB", f"{options.large_mb} MB"), [sizes])
        )


def _peaks_mb(fresh: Server, large_mb: int) -> Iterator[float]:
    """The most memory of a new server: after a first small file, after one of 100 MB, and after a large one."""
    for size in (1000, 100 * _MB, large_mb * _MB):
        measure.say(f"uploading {size} bytes")
        _upload(fresh, 1, size)
        yield peak_mb(fresh)


def _upload(server: Server, count: int, size: int) -> None:
    """Send so many files of `size` bytes one after the other. Raises RuntimeError where one is not kept."""
    block = os.urandom(min(size, _MB))
    length = len(_HEAD) + size + len(_TAIL)
    kind = b"multipart/form-data; boundary=%b" % _BOUNDARY
    head = b"POST /v1/files HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (
        kind,
        length,
    )
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        for _ in range(count):
            connection.sendall(head + _HEAD)
            for at in range(0, size, len(block)):
                connection.sendall(block[: size - at])
            connection.sendall(_TAIL)
            answer = b""
            while not answer.endswith(b"}"):
                if not (data := connection.recv(65536)):
                    break
                answer += data
            if b" 200 " not in answer[:20]:
                raise RuntimeError(f"a file was not kept: {answer[:500]!r}")


def peak_mb(server: Server) -> float:
    """The most memory that a server has had."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
