"""Providers and APIs from outside this package: packages that a run config names or that are installed beside us, and
folders of files that describe them.

`installed` imports them, and so only works with a distribution's own interpreter. `known` is for the command line,
whose environment has none of them: it makes do with what a build has remembered.
"""
