"""The certificates by which the services know each other."""
