"""Documents as every reader yields them, and how they are cut into chunks. Knows no file format, no API and no storage:
file processors read formats, vector stores keep chunks, and both import this.
"""
