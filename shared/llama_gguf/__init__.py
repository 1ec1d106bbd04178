"""Models of llama architecture in Hugging Face's layout, and the GGUF files that they become."""
