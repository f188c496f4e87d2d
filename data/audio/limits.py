"""What the reading of audio accepts and assumes, each number in this one place."""

from __future__ import annotations

SAMPLE_RATE = 16000
"""Samples per second of everything inside the system."""

MIN_SAMPLE_RATE = 4000
"""The lowest sample rate that is accepted: below it no speech could be understood."""

MAX_SAMPLE_RATE = 768000
"""The highest sample rate that is accepted: the highest that sound cards record at."""

MAX_CHANNELS = 32
"""More channels than this are a damaged header, or an array of features or of a batch."""

MAX_OVERSHOOT = 0.5
"""Seconds that a segment may reach past the end of its recording before it is an error.

The recording's end is then the segment's: Kaldi's extract-segments, --max-overshoot=0.5.
"""

CANCELLATION = 0.25
"""When the mean of the channels counts as cancelled.

The mean of C unrelated channels holds 1/C of the energy that they have on average. Where less than
this share of that is left (6 dB below it), the channels are the same signal with opposite signs.
"""

MAX_PEAK = 64.0
"""The largest sample of a float recording, where full scale is 1.

Float recordings may go beyond full scale, but values above this are integers that nobody divided.
"""

MAX_UNDECODABLE = 0.1
"""The share of an MP3's frames that may be beyond decoding before the file counts as damaged.

The first few of a recording that was cut out of a longer one refer to frames that are not there.
"""

DURATION_TOLERANCE = 0.15
"""Seconds by which a media file may be shorter than its header says: encoder delay and padding."""
