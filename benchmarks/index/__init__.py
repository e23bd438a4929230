"""How the index of landmarks grows: size, ingest, look-ups, and whether planted copies are found."""
