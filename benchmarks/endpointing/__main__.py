r"""Speech and silence in noise and music, by the acoustic model and by WebRTC's detector.

    python -m benchmarks.endpointing mini-librispeech/dev excerpts80/dev --corpora CORPORA \
        --noise 'esc10-noise/*/5-*' --json endpointing.json

Utterances of each corpus between pauses of 0.5 to 3 s, with noise, or music that is made here, over
speech and pauses. Forced alignment of the clean recordings says where words are. Parts:

* silence: a frame of 10 ms of a word that a system takes for silence is missed; one of a pause
  that it takes for speech is a false alarm. The model's silence is what long recordings are cut
  by. WebRTC's detector has four modes, and no threshold; beside each, `false alarms at equal
  misses` tells what the model has at a threshold where it misses as much.
* endpoints: all utterances in one stream, whose endpoint rules ask the search. Of the pauses of
  at least 1.5 s, those with an endpoint, and after how long; endpoints within speech. By WebRTC's
  detector an utterance ends where nine tenths of the last 0.5 or 1 s are no speech.
* calibration: for a model trained with lattice-free MMI, the `SilenceCalibration` that makes log
  odds of differences of its outputs, from the frames of all sets and conditions.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from benchmarks.endpointing import calibration, endpoints, mixtures, silence, webrtc
from recognizer import Recognizer
from recognizer.data.corpora.corpus import read_corpus

PARTS = ("silence", "endpoints", "calibration")


def main() -> None:
    """Mixes, detects, prints a table for each corpus and part."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.endpointing", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("corpora", nargs="+", metavar="SET", help="Kaldi data directories")
    parser.add_argument("--corpora", dest="root", type=Path, default=Path(), help="their directory")
    parser.add_argument("--model", help="model directory")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS[:2])
    parser.add_argument("--noise", action="append", metavar="PATTERN", help="files of noise")
    parser.add_argument("--snr", type=float, nargs="+", default=[20.0, 10.0, 5.0, 0.0])
    parser.add_argument("--utterances", type=int, default=40, help="of each set")
    add_json_option(parser)
    arguments = parser.parse_args()
    recognizer = Recognizer(arguments.model)
    model = recognizer.bundle
    modes = webrtc.modes() if set(arguments.parts) - {"calibration"} else ()
    sounds = {"music": mixtures.music()}
    if arguments.noise:
        sounds = {"noise": mixtures.noise(arguments.noise, arguments.root), **sounds}
    everything: dict[str, object] = {"model": model.config.name}
    known = []
    for name in arguments.corpora:
        corpus = read_corpus(arguments.root / name)
        clean = mixtures.utterances(corpus, arguments.model, arguments.utterances, seed=1)
        conditions = [("clean", [one.samples for one in clean])]
        for sound, clips in sounds.items():
            for snr in arguments.snr:
                conditions.append(
                    (f"{sound}, {snr:g} dB", list(mixtures.in_noise(clean, snr, clips)))
                )
        rows: dict[str, list[Row]] = {"silence": [], "endpoints": []}
        for condition, mixed in conditions:
            if "silence" in arguments.parts:
                found = silence.compared(model, modes, clean, mixed)
                rows["silence"] += [{"condition": condition, **row} for row in found]
            if "endpoints" in arguments.parts:
                found = endpoints.compared(recognizer, modes, clean, mixed)
                rows["endpoints"] += [{"condition": condition, **row} for row in found]
            if "calibration" in arguments.parts:
                known.append(calibration.differences(model, clean, mixed))
        for part, found in rows.items():
            if found:
                unit = ", percent of frames" if part == "silence" else ""
                print_rows(f"{part}: {name}, {len(clean)} utterances{unit}", found)
        everything[name] = {part: found for part, found in rows.items() if found}
    if known:
        row: Row = {
            key: round(value, 2) for key, value in asdict(calibration.calibrated(known)).items()
        }
        print_rows("calibration", [row])
        everything["calibration"] = row
    write_json(arguments.json, everything)


if __name__ == "__main__":
    main()
