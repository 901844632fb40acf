"""The Llama Stack runtime: one API for everything an AI application needs, any provider behind it."""

__version__ = "0.1.0"
