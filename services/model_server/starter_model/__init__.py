"""The starter model: a small llama trained from scratch on a corpus that this package writes."""
