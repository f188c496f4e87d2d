"""Streams: equal results for any cutting, latency, streams per core, memory."""
