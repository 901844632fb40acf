"""Who calls Oracle Cloud Infrastructure, and how requests to it are signed.

This is our own, on our own HTTP client: Oracle's package for Python is hundreds of megabytes, blocks, and knows none of
a provider's settings for proxies, certificates and timeouts. Only the signatures are a package's (`cryptography`).
"""
