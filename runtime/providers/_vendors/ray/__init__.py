"""Workers on an existing Ray cluster that ask a server beside them. https://docs.ray.io/en/latest/cluster"""
