"""How it is doing, and making it ready."""
