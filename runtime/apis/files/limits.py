"""How large files may be. Imports nothing, since configs read it."""

MAX_FILE_BYTES = 8 * 1024**3
"""The largest file that a provider can be configured to take, which is also the most of an upload in parts."""
