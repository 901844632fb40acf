"""Names in a folder of recordings that others have to know who open none of them. Imports nothing."""

MANIFEST = "stack.json"
"""What it says of the stack that was recorded: `manifest.py`."""
