"""Load and abuse of the server."""
