"""Living Images: one consistent cut of all services' state in one file, saved and put back."""
