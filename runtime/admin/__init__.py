"""Work that needs a distribution's own interpreter, for the command line: `python -I -m runtime.admin VERB`, which
prints JSON on standard output. Each verb is a file.
"""
