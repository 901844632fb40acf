"""Text above token ids: tokenizers, chat templates, detokenising, stop strings.

Knows text; no tensors, no HTTP.
"""
