"""What stands around every call; `layers` puts it together."""
