"""What llama-stack before 0.4 says, in the words of today: for every provider that still speaks so."""
