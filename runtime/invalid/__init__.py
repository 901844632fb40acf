"""What is wrong with a value that a pydantic model refuses: where, what was given, what is expected, and the nearest
valid name. One set of words for requests, run configs and arguments of tools; `describing.described` is the way in.
"""
