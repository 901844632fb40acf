"""Calls over the network. Only this package imports the HTTP client library, and only when something is sent."""
