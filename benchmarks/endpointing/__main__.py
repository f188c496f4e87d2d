r"""Where speech is, in noise and music: silence posteriors beside WebRTC's voice activity detector.

    python -m benchmarks.endpointing mini-librispeech/dev excerpts80/dev --corpora CORPORA \
        --noise 'esc10-noise/*/5-*' --json endpointing.json

Utterances of each corpus between pauses of 0.5 to 3 s, with noise, or music that is made here, over
speech and pauses. Forced alignment of the clean recordings says where words are. A frame of 10 ms
of a word that a system takes for silence is missed; one of a pause that it takes for speech is a
false alarm. WebRTC's detector (`pip install webrtcvad-wheels`) has four modes, and no threshold;
beside each, `false alarms at equal misses` tells what the posteriors have at a threshold where they
miss as much. Where it is not installed, the posteriors stand alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.common.report import Row, add_json_option, output, print_rows, write_json
from benchmarks.endpointing import mixtures
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.corpora.corpus import read_corpus
from recognizer.long.averaging import RunningMean
from recognizer.long.segmentation import SegmentationOptions
from recognizer.long.silence import SilenceDetector
from recognizer.model.bundle import ModelBundle

MODES = (0, 1, 2, 3)
_VAD_SAMPLES = 480  # 30 ms, the longest that the detector takes

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]


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
    opened = sliding_window_view(least, length).max(axis=1)
    frames = np.arange(len(samples) // mixtures.FRAME)
    of_output = np.minimum((frames * 0.01 / shift + 1e-6).astype(int), len(opened) - 1)
    found: FloatArray = opened[of_output]
    return found


def webrtc_speech(mode: int, samples: Samples) -> BoolArray:
    """Of each 10 ms, whether WebRTC's detector takes it for speech."""
    import webrtcvad  # type: ignore[import-untyped]

    detector = webrtcvad.Vad(mode)
    integers = np.rint(samples * 32767.0).clip(-32768, 32767).astype("<i2")
    whole = -(-len(integers) // _VAD_SAMPLES) * _VAD_SAMPLES
    padded = np.pad(integers, (0, whole - len(integers))).reshape(-1, _VAD_SAMPLES)
    found = [detector.is_speech(frame.tobytes(), SAMPLE_RATE) for frame in padded]
    return np.repeat(found, _VAD_SAMPLES // mixtures.FRAME)[: len(samples) // mixtures.FRAME]


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
    rows: list[Row] = [
        {"system": "silence posteriors", **errors(speech, odds <= options.threshold)}
    ]
    for mode in modes:
        found = np.concatenate([webrtc_speech(mode, one) for one in mixed])[scored]
        wrong = errors(speech, found)
        equal = false_alarms_at(speech, odds, wrong["missed"])
        rows.append(
            {"system": f"WebRTC, mode {mode}", **wrong, "false_alarms_at_equal_misses": equal}
        )
    return rows


def main() -> None:
    """Mixes, detects, prints a table for each corpus."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.endpointing", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("corpora", nargs="+", metavar="SET", help="Kaldi data directories")
    parser.add_argument("--corpora", dest="root", type=Path, default=Path(), help="their directory")
    parser.add_argument("--model", help="model directory")
    parser.add_argument("--noise", action="append", metavar="PATTERN", help="files of noise")
    parser.add_argument("--snr", type=float, nargs="+", default=[20.0, 10.0, 5.0, 0.0])
    parser.add_argument("--utterances", type=int, default=40, help="of each set")
    add_json_option(parser)
    arguments = parser.parse_args()
    model = ModelBundle(arguments.model)
    modes: Sequence[int] = MODES
    try:
        import webrtcvad  # noqa: F401
    except ImportError:
        modes = ()
        output().print("WebRTC's detector is left out: pip install webrtcvad-wheels")
    sounds = {"music": mixtures.music()}
    if arguments.noise:
        sounds = {"noise": mixtures.noise(arguments.noise, arguments.root), **sounds}
    everything: dict[str, list[Row]] = {}
    for name in arguments.corpora:
        corpus = read_corpus(arguments.root / name)
        clean = mixtures.utterances(corpus, arguments.model, arguments.utterances, seed=1)
        conditions = [("clean", [one.samples for one in clean])]
        rows: list[Row] = []
        for sound, clips in sounds.items():
            for snr in arguments.snr:
                conditions.append(
                    (f"{sound}, {snr:g} dB", list(mixtures.in_noise(clean, snr, clips)))
                )
        for condition, mixed in conditions:
            rows += [
                {"condition": condition, **row} for row in compared(model, modes, clean, mixed)
            ]
        print_rows(f"{name}, {len(clean)} utterances, percent of frames", rows)
        everything[name] = rows
    write_json(arguments.json, {"model": model.config.name, "sets": everything})


if __name__ == "__main__":
    main()
