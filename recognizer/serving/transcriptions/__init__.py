"""Transcription of uploads, in the shape of OpenAI's ``/v1/audio/transcriptions``."""
