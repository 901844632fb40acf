"""Whom a session is with: a server, asked as somebody, over the provider's client."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.http.client import HttpClient
from runtime.providers.connectors.builtin.config import ConnectorsConfig
from runtime.providers.connectors.builtin.identities import AskedAs
from runtime.providers.connectors.builtin.servers import Server


@dataclass(frozen=True, kw_only=True)
class SessionTarget:
    server: Server
    asked_as: AskedAs
    http: HttpClient
    config: ConnectorsConfig
