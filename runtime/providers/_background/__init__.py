"""Asking models while nobody waits for the answers, many times over: for batches and evaluations."""
