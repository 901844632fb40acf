"""One adapter for all vendors with OpenAI's protocol; each vendor is a file of data beside this folder."""
