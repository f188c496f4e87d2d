"""Frame by frame: speech that a system misses, and pauses that it takes for speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.common.report import Row
from benchmarks.endpointing import mixtures
from benchmarks.endpointing.webrtc import webrtc_speech
from recognizer.data.audio.reading import Samples
from recognizer.long.averaging import RunningMean
from recognizer.long.segmentation import SegmentationOptions
from recognizer.long.silence import SilenceDetector
from recognizer.model.bundle import ModelBundle

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]


def of_frames(values: FloatArray, samples: Samples, shift: float) -> FloatArray:
    """The values of output frames `shift` seconds apart, for each 10 ms of the samples."""
    frames = np.arange(len(samples) // mixtures.FRAME)
    found: FloatArray = values[
        np.minimum((frames * 0.01 / shift + 1e-6).astype(int), len(values) - 1)
    ]
    return found


def silence_odds(model: ModelBundle, options: SegmentationOptions, samples: Samples) -> FloatArray:
    """Log odds of silence of each 10 ms, as long recordings are cut by: averaged, then opened.

    The opening (the largest of the least odds of all stretches of the shortest silence that counts)
    makes a frame silence at any threshold where it is part of such a stretch.
    """
    shift = model.acoustic_model.output_frame_shift
    detector = SilenceDetector.of(model)
    mean = RunningMean(round(options.smoothing / shift / 2))
    odds = np.concatenate([mean.accept(detector.log_odds(samples)), mean.finish()])
    length = round(options.min_silence / shift)
    least = sliding_window_view(np.pad(odds, length - 1, mode="edge"), length).min(axis=1)
    return of_frames(sliding_window_view(least, length).max(axis=1), samples, shift)


def errors(speech: BoolArray, found: BoolArray) -> dict[str, float]:
    """Shares of the speech that is missed and of the pauses that are false alarms, percent."""
    return {
        "missed": round(100.0 * float(np.mean(~found[speech])), 2),
        "false_alarms": round(100.0 * float(np.mean(found[~speech])), 2),
    }


def false_alarms_at(speech: BoolArray, odds: FloatArray, missed: float) -> float:
    """False alarms of a threshold on the odds that misses a share of the speech, percent."""
    threshold = np.quantile(odds[speech], 1.0 - missed / 100.0)
    return round(100.0 * float(np.mean(odds[~speech] <= threshold)), 2)


def compared(
    model: ModelBundle,
    modes: Sequence[int],
    clean: Sequence[mixtures.Utterance],
    mixed: Sequence[Samples],
) -> list[Row]:
    """The errors of all systems in one condition."""
    options = SegmentationOptions()
    scored = np.concatenate([one.scored for one in clean])
    speech = np.concatenate([one.speech for one in clean])[scored]
    odds = np.concatenate([silence_odds(model, options, one) for one in mixed])[scored]
    rows: list[Row] = [{"system": "model's silence", **errors(speech, odds <= options.threshold)}]
    for mode in modes:
        found = np.concatenate([webrtc_speech(mode, one) for one in mixed])[scored]
        wrong = errors(speech, found)
        equal = false_alarms_at(speech, odds, wrong["missed"])
        rows.append(
            {"system": f"WebRTC, mode {mode}", **wrong, "false_alarms_at_equal_misses": equal}
        )
    return rows
