"""Speech that is recognised while it is spoken: microphones, raw samples, what is shown."""
