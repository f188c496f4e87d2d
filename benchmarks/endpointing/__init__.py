"""Speech and silence in noise, by the acoustic model's posteriors and by WebRTC's detector."""
