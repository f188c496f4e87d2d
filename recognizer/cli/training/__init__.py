"""The commands that train networks and build models."""
