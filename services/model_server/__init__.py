"""The embedded model server: Ollama's HTTP API, spoken over llama.cpp."""
