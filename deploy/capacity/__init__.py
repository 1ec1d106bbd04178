"""How many people a machine can serve, and what it takes for more."""
