"""Java's own HttpClient, as it comes: it offers h2c with its first request, and its body must arrive all the same."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.support.server_process import LIMIT_S, server_process

MAIN = """
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

class Main {
    public static void main(String[] args) throws Exception {
        var client = HttpClient.newHttpClient();
        for (var model : new String[] {"first", "second"}) {
            var body = args[1].replace("MODEL", model);
            var request = HttpRequest.newBuilder(URI.create(args[0] + "/v1/chat/completions"))
                .header("content-type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body)).build();
            var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.version() + " " + answer.statusCode() + " " + answer.body());
        }
    }
}
"""
BODY = '{"model": "MODEL", "messages": [{"role": "user", "content": "hi"}]}'
CONFIG = {
    "version": 2,
    "distro_name": "java",
    "providers": {"inference": []},
    "storage": {"backends": {"kv_default": {"type": "kv_memory"}}},
}


@pytest.mark.skipif(shutil.which("java") is None, reason="no java here")
async def test_its_first_request_and_its_next_are_read_with_their_bodies(tmp_path: Path) -> None:
    main = tmp_path / "Main.java"
    main.write_text(MAIN)
    async with server_process(CONFIG, tmp_path / "server") as server:
        await server.until("serving")
        process = await asyncio.create_subprocess_exec(
            *("java", str(main), server.url, BODY), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            said, complaint = await asyncio.wait_for(process.communicate(), LIMIT_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, complaint.decode()
    lines = said.decode().splitlines()
    assert len(lines) == 2
    for line, model in zip(lines, ("first", "second"), strict=True):
        version, status, body = line.split(" ", 2)
        # that the model is not served is what only its body could tell
        assert (version, status) == ("HTTP_1_1", "404")
        assert f"`{model}`" in json.loads(body)["error"]["message"]
