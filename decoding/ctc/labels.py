"""Labels of graphs of networks that spell, and when words are said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recognizer.am.nnet.ctc import BLANK
from recognizer.data.errors import SpeechError
from recognizer.data.text.characters import CharacterSet
from recognizer.decoding.ctc.topology import ctc_pdfs
from recognizer.decoding.lattice.arc_times import WordBoundaries
from recognizer.decoding.lattice.labels import GraphLabels
from recognizer.decoding.lattice.lattice import BestPath


class CtcLabels(GraphLabels):
    """Blank and characters. Nobody speaks in a blank or in the space between words.

    A network that was trained with CTC says a character in a frame or a few, not while it lasts: a
    word is said from the first frame of its first character to the last one of its last.
    """

    def __init__(self, characters: CharacterSet) -> None:
        self._characters = characters
        self.pdfs = ctc_pdfs(characters.num_outputs)
        silent = [BLANK]
        if " " in characters.characters:
            silent += characters.encode(" ").tolist()
        self.is_silence = np.isin(self.pdfs, silent)

    @property
    def boundaries(self) -> WordBoundaries:
        """Characters that begin a word, and the space; a blank belongs to the word before it."""
        spaces = np.flatnonzero(self.is_silence & (self.pdfs != BLANK))
        begins = np.arange(1 + self._characters.num_outputs, len(self.pdfs))
        begins = begins[~self.is_silence[begins]]
        return WordBoundaries(begins.astype(np.int32), spaces.astype(np.int32))

    def word_times(
        self, path: BestPath, words: Sequence[str] | None = None
    ) -> tuple[tuple[str, int, int], ...]:
        """See `GraphLabels.word_times`."""
        words = path.words if words is None else words
        outputs = self.pdfs[path.tids]
        changes = np.flatnonzero(np.diff(outputs, prepend=BLANK, append=BLANK))
        # A run of equal outputs ends where the next begins; that of a blank is no character.
        begins = [frame for frame in changes if frame < len(outputs) and outputs[frame] != BLANK]
        ends = {
            int(begin): int(changes[np.searchsorted(changes, begin, side="right")])
            for begin in begins
        }
        said = [(int(outputs[begin]), int(begin)) for begin in begins]
        spaced = " " in self._characters.characters
        times: list[tuple[str, int, int]] = []
        at = 0
        for word in words:
            spelling = self._characters.encode(word).tolist()
            if spaced and times:
                spelling = [*self._characters.encode(" ").tolist(), *spelling]
            found = said[at : at + len(spelling)]
            cut_off = not path.complete and len(times) + 1 == len(words)
            expected = spelling[: len(found)] if cut_off else spelling
            if [output for output, _ in found] != expected:
                raise SpeechError(
                    f"path: expected the characters of {word!r} after {len(times)} words, "
                    f"found {self._characters.decode(output for output, _ in found)!r}"
                )
            whole = len(found) == len(spelling)
            own = found[1:] if spaced and times else found
            end = len(outputs) if not whole else ends[own[-1][1]]
            times.append((word, own[0][1] if own else len(outputs), end))
            at += len(spelling)
        if path.complete and at != len(said):
            raise SpeechError(
                f"path: expected {at} characters of {len(words)} words, found {len(said)}"
            )
        return tuple(times)
