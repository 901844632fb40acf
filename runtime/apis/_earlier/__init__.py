"""What llama-stack before 0.4 calls messages, content, sampling and tools: shared by the doors that still speak so."""
