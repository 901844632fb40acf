"""A command with a server around it: its variables, its processes and signals, what is shown of the server's log."""
