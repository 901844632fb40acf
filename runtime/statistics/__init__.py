"""How sure one can be of a mean, and whether a difference is real. Standard library only; imports nothing of ours."""
