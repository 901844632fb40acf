"""The Llama Stack runtime: one API for everything an AI application needs, any provider behind it."""

__version__ = "0.1.0"
PROBE = f"llama-probe/{__version__}"
"""The user agent of what `llama` sends to see how a server is; what it sends for its user is `llama/...`."""
