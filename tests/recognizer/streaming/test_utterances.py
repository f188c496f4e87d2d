"""The words that partial results commit, of a model of pieces of words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from recognizer import Partial
from recognizer.lm.units.pieces import join_pieces
from recognizer.streaming.utterances import Utterances


def test_a_word_of_pieces_is_committed_when_the_next_piece_cannot_go_on_with_it():
    """Of "recognise of speech now", as a search might commit its pieces."""
    updates = iter(
        [
            ((), ("▁re",)),
            (("▁re",), ("cogn", "ition")),
            (("cogn",), ("ise",)),
            (("ise", "▁of"), ("▁speech",)),
            ((), ("▁speech",)),
            (("▁speech", "▁now"), ()),
        ]
    )

    def update() -> SimpleNamespace:
        committed, tentative = next(updates)
        return SimpleNamespace(committed=committed, tentative=tentative)

    decoding = SimpleNamespace(advance=lambda scores: None, num_frames=0, update=update)
    passes = SimpleNamespace(
        bundle=SimpleNamespace(config=SimpleNamespace(units="pieces")),
        acoustic_model=SimpleNamespace(output_frame_shift=0.01),
        start=lambda: decoding,
        decoder=SimpleNamespace(start=lambda: decoding),
        joined=join_pieces,
        grammar=None,
    )
    utterances = Utterances(passes, endpointing=None, partials=True)
    found = [utterances.accept(np.zeros((1, 1), np.float32)) for _ in range(6)]
    assert found == [
        [Partial(0.0, (), ("re",))],
        [Partial(0.0, (), ("recognition",))],
        [Partial(0.0, (), ("recognise",))],
        [Partial(0.0, ("recognise",), ("of", "speech"))],
        [],
        [Partial(0.0, ("recognise", "of", "speech"), ("now",))],
    ]
