"""Another Llama Stack, or any server with OpenAI's protocol, with what the callers send for it."""
