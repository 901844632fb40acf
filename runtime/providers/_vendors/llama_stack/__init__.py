"""Adapters around implementations of llama-stack's earlier interface, from packages that have that installed."""
