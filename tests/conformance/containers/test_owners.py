"""A container that a user does not see is not there for them, nor are its files, by whichever way they are named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.access import User
from runtime.apis._carriers import Upload
from runtime.apis.containers.container import ContainerRequest, CreateContainerRequest, ListContainersRequest
from runtime.apis.containers.container_file import (
    AddContainerFileRequest,
    ContainerFileRequest,
    ListContainerFilesRequest,
)
from runtime.apis.containers.running import BringFilesRequest, RunCodeRequest
from runtime.context import RequestContext, serving
from runtime.errors import NotFound
from tests.conformance.containers.asking import Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")


def by(principal: str) -> Any:
    return serving(RequestContext(user=User(principal=principal)))


def upload() -> Upload:
    async def content() -> AsyncIterator[bytes]:
        yield b"mine"

    return Upload(content(), filename="a.txt")


async def test_another_user_finds_it_nowhere(containers: Asking) -> None:
    api: Any = containers.api
    with by("ann"):
        anns = (await api.create_container(CreateContainerRequest(name="anns"))).id
        file = (await api.add_container_file(AddContainerFileRequest(container_id=anns, file=upload()))).id
    with by("bob"):
        bobs = (await api.create_container(CreateContainerRequest(name="bobs"))).id
        asked = [
            (api.get_container, ContainerRequest(container_id=anns)),
            (api.add_container_file, AddContainerFileRequest(container_id=anns, file=upload())),
            (api.list_container_files, ListContainerFilesRequest(container_id=anns)),
            (api.run_code, RunCodeRequest(container_id=anns, code="1")),
            (api.bring_files, BringFilesRequest(container_id=anns)),
            *(
                (ask, ContainerFileRequest(container_id=named, file_id=file))
                for named in (anns, bobs)
                for ask in (api.get_container_file, api.read_container_file, api.delete_container_file)
            ),
            (api.delete_container, ContainerRequest(container_id=anns)),
        ]
        for ask, request in asked:
            with pytest.raises(NotFound):
                await ask(request)
        listed = (await api.list_containers(ListContainersRequest())).value()["data"]
        assert [one["id"] for one in listed] == [bobs]
    with by("ann"):
        assert (await api.get_container_file(ContainerFileRequest(container_id=anns, file_id=file))).bytes == 4
