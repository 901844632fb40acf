"""Calls over the network: the only package that imports the outgoing HTTP library, and only when something is sent."""
