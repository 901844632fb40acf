"""File processors whose reader runs here, in a worker process: they differ in the reader alone."""
