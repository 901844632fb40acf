"""What vendors of vector databases document, as local servers."""
