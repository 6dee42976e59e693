"""What OpenAI's family shares."""
