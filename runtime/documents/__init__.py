"""Documents as every reader yields them, how they are cut into chunks, and images by their first bytes. Reads no file
format, and knows no API and no storage: file processors read formats, vector stores keep chunks, and both import this.
"""
