"""Answers to problems of mathematics: where they are in a text, and whether two say the same."""
