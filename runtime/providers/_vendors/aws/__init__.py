"""Amazon's credentials and the signature of its requests, for every provider that calls a service of AWS."""
