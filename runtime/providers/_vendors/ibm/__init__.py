"""Who calls IBM: tokens of IBM Cloud, and of a cluster with IBM Software Hub (Cloud Pak for Data)."""
