"""Language models behind an OpenAI-compatible endpoint, local or remote."""
