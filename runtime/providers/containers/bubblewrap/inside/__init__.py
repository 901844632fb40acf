"""What runs in a container, on the standard library alone: pid 1, and the process of the caller's code below it.

Each container waits for these imports: what is heavy (typing, dataclasses, pathlib, traceback, ast) is not among them.
"""
