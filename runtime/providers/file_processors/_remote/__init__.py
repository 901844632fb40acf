"""File processors that have another server read the document, and read its answer here, in a worker process: what is
said about a hostile document is no less hostile.
"""
