"""How long chunks are unless somebody says otherwise, in tokens. Imports nothing, since configs read it."""

DEFAULT_CHUNK_TOKENS, DEFAULT_OVERLAP_TOKENS = 800, 400
