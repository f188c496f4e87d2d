r"""Is it better that the network's state goes on at an endpoint, or that it begins anew?

    python -m benchmarks.streaming.network_state mini-librispeech/dev --corpora CORPORA

Utterances of each set, with pauses of a second, in one stream with the default endpoint rules. Its
finals are compared with the same stretches of audio recognised one by one, for which network and
features begin anew, and with the utterances one by one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from recognizer import Final, Recognizer
from recognizer.data.audio.reading import SAMPLE_RATE, Samples
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.evaluation.word_alignment import count_errors

_PAUSE_SECONDS, _LEVEL = 1.0, 1e-3


def joined(utterances: Iterable[Utterance]) -> Samples:
    """All utterances, each with a pause of faint noise behind it ``[N]``, 16 kHz."""
    generator = np.random.default_rng(0)
    parts = []
    for one in utterances:
        pause = generator.normal(0.0, _LEVEL, round(_PAUSE_SECONDS * SAMPLE_RATE))
        parts += [one.samples(), pause.astype(np.float32)]
    return np.concatenate(parts)


def compared(recognizer: Recognizer, utterances: Sequence[Utterance]) -> Row:
    """Word error rates in percent of the three ways."""
    samples = joined(utterances)
    stream = recognizer.stream(partials=False)
    events = stream.accept(samples, SAMPLE_RATE) + stream.finish()
    finals = [event for event in events if isinstance(event, Final)]
    stretches = [
        samples[round(one.start * SAMPLE_RATE) : round(one.end * SAMPLE_RATE)] for one in finals
    ]
    said = [word for one in utterances for word in one.words]

    def errors(texts: Iterable[str]) -> float:
        found = [word for text in texts for word in text.split()]
        return round(100.0 * count_errors(said, found).errors / len(said), 2)

    return {
        "seconds": round(len(samples) / SAMPLE_RATE),
        "words": len(said),
        "finals": len(finals),
        "state_goes_on": errors(one.text for one in finals),
        "begins_anew": errors(recognizer.recognize_samples(one).text for one in stretches),
        "utterances": errors(
            recognizer.recognize_samples(one.samples()).text for one in utterances
        ),
    }


def main() -> None:
    """Recognise, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("corpora", nargs="+", metavar="SET", help="such as mini-librispeech/dev")
    parser.add_argument("--corpora", dest="root", type=Path, default=Path(), help="their directory")
    parser.add_argument("--model", type=Path, metavar="DIR", help="default: the shipped model")
    parser.add_argument("--utterances", type=int, default=12, help="of each set")
    add_json_option(parser)
    arguments = parser.parse_args()
    recognizer = Recognizer(arguments.model)
    rules = recognizer.bundle.config.text_rules
    rows: list[Row] = []
    for name in arguments.corpora:
        corpus = read_corpus(arguments.root / name).spread(arguments.utterances).normalized(rules)
        rows.append({"set": name, **compared(recognizer, corpus.utterances)})
    print_rows("word errors, percent", rows)
    write_json(arguments.json, {"network_state": rows})


if __name__ == "__main__":
    main()
