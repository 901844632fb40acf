"""Files that are kept for other requests, and uploads in parts for large ones.

OpenAI's Files and Uploads API, https://platform.openai.com/docs/api-reference/files.
"""

from __future__ import annotations

from runtime.apis._api import Api, Store

API = Api(
    "files", "runtime.apis.files.protocol:Files", stores=(Store(name="files", families=("sql",), kinds=("files",)),)
)
