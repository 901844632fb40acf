"""`storage show|prune|restore|export|import`: what a stack keeps, counted, made less, taken back, moved.

Databases describe their tables themselves, so that no provider is loaded for most of it: only `import` opens the whole
stack, for its tables, and `export` the providers that keep bytes of files. A server may run on the same state but for
`restore` and `import`, which hold its lock.
"""
