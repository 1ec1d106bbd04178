"""The seeded generator of the starter model's corpus: specs, repairs and conversations."""
