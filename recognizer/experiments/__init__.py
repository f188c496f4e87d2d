"""Networks of many shapes compared in tables."""
