"""Augmentation of waveforms: other speeds, rooms, noises, levels and channels."""
