"""Asking models many times over, with time for the answers: for batches, evaluations and made-up rows."""
