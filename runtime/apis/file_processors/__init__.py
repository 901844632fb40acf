"""Files read and cut into chunks, ready for a vector store."""

from __future__ import annotations

from runtime.apis._api import Api, Store

API = Api(
    "file_processors", "runtime.apis.file_processors.protocol:FileProcessors", stores=(Store(name="file_processing"),)
)
