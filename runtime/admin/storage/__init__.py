"""`storage show|prune ...`: what a stack keeps, counted, made less, moved. No provider is loaded for that: databases
describe their tables themselves.

A server may run on the same state: SQLite and PostgreSQL can be read and pruned beside it.
"""
