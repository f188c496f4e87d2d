"""Recognition while the audio still arrives: streams, their events, endpoints."""
