"""How good the starter model is, asked through the embedded model server as users ask it."""
