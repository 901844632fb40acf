"""Google's cloud: who calls it, and where its services are."""
