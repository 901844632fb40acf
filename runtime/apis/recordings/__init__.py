"""What a server records or replays, for tests: which test its requests belong to, and what was not recorded."""

from __future__ import annotations

from runtime.apis._api import Api

API = Api("recordings", "runtime.apis.recordings.protocol:Recordings")
