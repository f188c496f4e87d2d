"""An n-gram model as a deterministic automaton in mapped memory, for search and rescoring."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.data.io.mapped_arrays import large_zeros, open_arrays, write_arrays
from recognizer.lm import _automaton
from recognizer.lm.arpa.source import ModelSource, open_source
from recognizer.lm.automaton.build import (
    build_arrays,
    cannot_build,
    temporary_directory,
)
from recognizer.lm.automaton.layouts import (
    FIRST_ARC_MASK,
    ArrayFiles,
    fast_files,
    loaded,
    pack,
    unpack,
)
from recognizer.lm.ngram.model import UNKNOWN, NgramModel
from recognizer.lm.resources import MIN_MEMORY, Resources

KIND = "ngram-automaton"
VERSION = 1
FAST = "fast"
COMPACT = "compact"

LongArray = npt.NDArray[np.int64]


class NgramAutomaton:
    """A back-off n-gram model with exact back-off; satisfies `LanguageModel`.

    A state is a history: an n-gram that longer n-grams begin with or that has a back-off weight.
    State 0 is the empty history, state 1 that of `<s>`. Natural logs; a word outside the
    vocabulary scores as `<unk>`.

    There are two layouts, which number states alike: the fast one
    (`lm/csrc/automaton/automaton.h`), and the compact one
    (`lm/csrc/automaton/compact_automaton.h`), which takes less than half of its bytes, exact or
    quantised, and is slower to search. Either holds up to 2**32 - 2 histories, 2**40 n-grams, of up
    to 8 words each, and 2**31 - 2 words: a billion n-grams are a fraction of that.

    Attributes:
        arrays: what native modules take. Fast: `states` uint64 `[S + 1, 2]` (first arc; back-off
            weight as float32 bits, back-off state in the upper half), `arcs` uint32 `[A, 3]`
            (word, log probability as float32 bits, destination), `finals` float32 `[S]` (log
            probability of `</s>` where it is explicit, else NaN); where `resident`, `slots` too,
            and marks in the upper 24 bits of the first arcs (`lm/csrc/automaton/arc_index.h`).
            Compact: see its header; where `resident`, `slots` too
            (`lm/csrc/automaton/position_table.h`).
        metadata: what the model's file says beside its arrays: `counts`, the number of n-grams
            by order; `layout`.
    """

    def __init__(
        self,
        arrays: Mapping[str, npt.NDArray[Any]],
        vocabulary: npt.NDArray[np.uint8],
        metadata: Mapping[str, str],
        *,
        validate: bool = True,
    ) -> None:
        """Use `from_model` or `open`.

        Args:
            arrays: see above.
            vocabulary: the words in UTF-8, each followed by a line feed.
            metadata: see above.
            validate: read everything once to make sure that the automaton is one.

        Raises:
            ValueError: the arrays are no automaton.
        """
        self.arrays = dict(arrays)
        self.metadata = dict(metadata)
        self._vocabulary = vocabulary
        self._native: _automaton.Automaton | _automaton.CompactAutomaton
        if self.metadata.get("layout") == COMPACT:
            self._native = _automaton.CompactAutomaton(self.arrays, validate)
        else:
            self._native = _automaton.Automaton(self.arrays, validate)

    @classmethod
    def from_model(cls, model: NgramModel) -> NgramAutomaton:
        """Build the automaton of a model.

        N-grams that hold `<s>` elsewhere than in front, or go on after `</s>`, say nothing about
        any sentence and are left out.
        """
        with tempfile.TemporaryDirectory() as directory:
            resources = Resources(memory=max(MIN_MEMORY, 64 * max(model.counts)))
            built = build_arrays(ModelSource(model), Path(directory), resources)
            arrays = {name: file.load() for name, file in built.arrays.items()}
        metadata = {**built.metadata, "layout": FAST}
        return cls(arrays, built.vocabulary, metadata, validate=False)

    @classmethod
    def build(
        cls,
        source: str | os.PathLike[str],
        output: str | os.PathLike[str],
        *,
        layout: str = FAST,
        bits: int | None = None,
        resources: Resources | None = None,
    ) -> None:
        """Write the automaton of n-grams in files to a file, in bounded memory.

        Args:
            source: an ARPA file, plain or compressed, or a directory of n-gram records
                (`recognizer.lm.arpa.source`).
            output: the file to write, whole or not at all.
            layout: `FAST` or `COMPACT`.
            bits: see `compact`.
            resources: what may be used.

        Raises:
            SpeechError: the n-grams are not those of a back-off model, or a disk is full; names
                file and line.
        """
        resources = resources or Resources()
        progress = resources.progress
        try:
            with temporary_directory(output, resources.temporary) as directory:
                size = _text_size(source)
                with open_source(source, lambda done: progress("reading", done, size)) as ngrams:
                    built = build_arrays(ngrams, directory, resources)
                metadata = {**built.metadata, "layout": FAST}
                progress("writing", 0, None)
                if layout == FAST:
                    files: ArrayFiles = {**built.arrays, "vocabulary": built.vocabulary}
                    write_arrays(output, files, kind=KIND, version=VERSION, metadata=metadata)
                    return
                mapped = {name: file.map() for name, file in built.arrays.items()}
                fast = cls(mapped, built.vocabulary, metadata, validate=False)
                fast.save(output, layout=layout, bits=bits, temporary=resources.temporary)
        except OSError as error:
            raise cannot_build(output, error) from error

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, validate: bool = True, resident: bool = False
    ) -> NgramAutomaton:
        """Map a file that `save` wrote.

        Args:
            path: the file.
            validate: read all states and arcs once to make sure that none leads astray; without
                it, opening reads the header alone, which is for large files that are trusted.
            resident: see the method `resident`.

        Raises:
            SpeechError: the file is missing, truncated, of another kind or damaged; names it.
        """
        file = open_arrays(path, kind=KIND, version=VERSION)
        arrays = dict(file.arrays)
        try:
            vocabulary = arrays.pop("vocabulary")
            mapped = cls(arrays, vocabulary, file.metadata, validate=validate)
            if validate:
                file.release()  # the search needs a small part of what was checked
            return mapped.resident() if resident else mapped
        except KeyError as error:
            raise SpeechError(f"{path}: expected an array {error.args[0]}, found none") from None
        except (ValueError, TypeError, RuntimeError) as error:
            raise SpeechError(f"{path}: damaged: {error}") from None

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        layout: str | None = None,
        bits: int | None = None,
        temporary: Path | None = None,
    ) -> None:
        """Write the automaton to a file, whole or not at all.

        Args:
            path: the file.
            layout: `FAST` or `COMPACT`; None: as it is.
            bits: see `compact`.
            temporary: directory for the arrays of another layout, which are never held in memory;
                None: beside the file.

        Raises:
            SpeechError: the file cannot be written.
        """
        layout = layout or self.layout
        metadata = {**self.metadata, "layout": layout}
        if layout == self.layout and bits is None:
            arrays = {**self.arrays, "vocabulary": self._vocabulary}
            if arrays.pop("slots", None) is not None and layout == FAST:
                states = self.arrays["states"].copy()
                states[:, 0] &= np.uint64(FIRST_ARC_MASK)
                arrays["states"] = states
            write_arrays(path, arrays, kind=KIND, version=VERSION, metadata=metadata)
            return
        try:
            with temporary_directory(path, temporary) as directory:
                files = self._repacked(layout, bits, directory)
                files["vocabulary"] = self._vocabulary
                write_arrays(path, files, kind=KIND, version=VERSION, metadata=metadata)
        except OSError as error:
            raise cannot_build(path, error) from error

    def resident(self) -> NgramAutomaton:
        """The same model read into memory, for many queries.

        Its arrays stand in huge pages where the system has them (a mapped file never does, and
        with small pages most look-ups miss the processor's table of page addresses too), and an
        index finds arcs in long lists at once: per n-gram of an unpruned 5-gram it takes about 5
        bytes in the fast layout and 1 in the compact one. Opening takes as long as reading the
        file, and processes no longer share the memory.
        """
        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, array in self.arrays.items():
            arrays[name] = large_zeros(array.shape, array.dtype)
            arrays[name][...] = array
        if "slots" not in arrays and isinstance(self._native, _automaton.CompactAutomaton):
            slots = _automaton.num_slots(self._native)
            arrays["slots"] = large_zeros((slots,), np.dtype(np.uint32))
            _automaton.fill_slots(self._native, arrays["slots"])
        elif "slots" not in arrays:
            slots = _automaton.num_slots(arrays["states"], arrays["arcs"])
            arrays["slots"] = large_zeros((slots, 4), np.dtype(np.uint32))
            _automaton.fill_slots(arrays["states"], arrays["arcs"], arrays["slots"])
        return NgramAutomaton(arrays, self._vocabulary, self.metadata, validate=False)

    def compact(self, *, bits: int | None = None) -> NgramAutomaton:
        """The same model in the compact layout.

        Args:
            bits: of a quantised log probability or back-off weight, 8 to 16; None: exact.

        Raises:
            UsageError: bits are not 8 to 16.
        """
        return self._in_layout(COMPACT, bits)

    def fast(self) -> NgramAutomaton:
        """The same model in the fast layout; itself where it has that."""
        return self if self.layout == FAST else self._in_layout(FAST)

    def _in_layout(self, layout: str, bits: int | None = None) -> NgramAutomaton:
        with tempfile.TemporaryDirectory() as directory:
            arrays = loaded(self._repacked(layout, bits, Path(directory)))
        metadata = {**self.metadata, "layout": layout}
        return NgramAutomaton(arrays, self._vocabulary, metadata, validate=False)

    def _repacked(self, layout: str, bits: int | None, directory: Path) -> ArrayFiles:
        """The arrays in another layout, or with other bits, in files of a directory."""
        if self.layout == FAST:
            return pack(self.arrays, directory, bits=bits)
        fast = directory / FAST
        fast.mkdir()
        unpacked = unpack(self.arrays, fast)
        if layout == FAST:
            return unpacked
        mapped = {name: file.map() for name, file in fast_files(fast).items()}
        return pack(mapped, directory, bits=bits)

    @property
    def layout(self) -> str:
        """`fast` or `compact`."""
        return COMPACT if isinstance(self._native, _automaton.CompactAutomaton) else FAST

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words by id, `<unk>` among them; `<s>` and `</s>` are no words."""
        self._check_vocabulary()
        return tuple(self._vocabulary.tobytes().decode("utf-8").split("\n")[:-1])

    def _check_vocabulary(self) -> None:
        words = np.count_nonzero(self._vocabulary == ord("\n"))
        if len(self._vocabulary) and self._vocabulary[-1] != ord("\n"):
            raise SpeechError(
                "vocabulary of an n-gram automaton: expected a line feed at its end, found none"
            )
        if words != self._native.num_words:
            found = f"{words} words for {self._native.num_words} unigrams"
            raise SpeechError(f"vocabulary of an n-gram automaton: found {found}")

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: index for index, word in enumerate(self.words)}

    @property
    def vocabulary(self) -> npt.NDArray[np.uint8]:
        """The words as the file has them: in UTF-8, each followed by a line feed."""
        return self._vocabulary

    @property
    def num_words(self) -> int:
        """Number of words, `<unk>` among them."""
        return int(self._native.num_words)

    @property
    def num_states(self) -> int:
        """Number of histories."""
        return int(self._native.num_states)

    @property
    def order(self) -> int:
        """Words in the longest n-gram."""
        return len(self.metadata["counts"].split())

    def word_ids(self, symbols: Sequence[str]) -> npt.NDArray[np.int32]:
        """The id of each symbol, int32 `[len(symbols)]`; -1 where the model has no such word.

        Raises:
            SpeechError: a symbol holds a line feed, or the model's vocabulary is damaged.
        """
        self._check_vocabulary()
        text = "\n".join((*symbols, "")).encode()
        ids = _automaton.word_ids(self._vocabulary, np.frombuffer(text, dtype=np.uint8))
        if len(ids) != len(symbols):
            raise SpeechError("words: expected no line feed in a word, found one")
        return ids

    def start(self) -> int:
        """The state at the beginning of a sentence."""
        return int(self._native.start)

    def score(self, state: int, word: str) -> tuple[float, int]:
        """Log p(word | state), and the state after the word."""
        ids = self._ids
        index = ids[word] if word in ids else ids[UNKNOWN]
        result: tuple[float, int] = self._native.advance(state, index)
        return result

    def final(self, state: int) -> float:
        """Log p(end of sentence | state)."""
        return float(self._native.final(state))

    def __contains__(self, word: object) -> bool:
        """Whether the word is in the vocabulary (`<unk>` is not a word)."""
        return word in self._ids and word != UNKNOWN

    def score_sentences(
        self, sentences: Iterable[Sequence[str]]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], LongArray]:
        """Score many sentences at once, without Python in between.

        Args:
            sentences: words of each, without `<s>` and `</s>`.

        Returns:
            The log probability of every word, float32 `[N]`, of all sentences end to end; that of
            every sentence's end, float32 `[S]`; where each sentence begins, int64 `[S + 1]`.
        """
        ids, offsets = self.sentence_ids(sentences)
        return (*self.score_ids(ids, offsets), offsets)

    def sentence_ids(
        self, sentences: Iterable[Sequence[str]]
    ) -> tuple[npt.NDArray[np.int32], LongArray]:
        """The ids of the words of sentences end to end, and where each sentence begins."""
        ids = self._ids
        unknown = ids[UNKNOWN]
        lengths: list[int] = []
        words: list[int] = []
        for sentence in sentences:
            lengths.append(len(sentence))
            words.extend(ids.get(word, unknown) for word in sentence)
        offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int64)
        return np.array(words, dtype=np.int32), offsets

    def score_ids(
        self, words: npt.NDArray[np.int32], offsets: LongArray, *, at_once: int = 16
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """The log probability of every word and of every sentence's end, as `score_sentences`.

        Args:
            words: ids, int32 `[N]`; those of no word have log probability minus infinity.
            offsets: where each sentence begins, int64 `[S + 1]`.
            at_once: sentences whose look-ups wait for the memory together; those of one sentence
                always do.
        """
        return self._native.score(words, offsets, at_once)

    def sentence_log_probs(self, sentences: Iterable[Sequence[str]]) -> npt.NDArray[np.float64]:
        """Log probability of each sentence, its end included: float64 `[S]`."""
        words, ends, offsets = self.score_sentences(sentences)
        sums = np.concatenate(([0.0], np.cumsum(words, dtype=np.float64)))
        return sums[offsets[1:]] - sums[offsets[:-1]] + ends


def _text_size(source: str | os.PathLike[str]) -> int | None:
    """How many bytes reading a source will give; None: compressed, so nobody knows."""
    path = Path(source)
    if path.is_dir():
        return sum(records.stat().st_size for records in path.glob("*.records"))
    if path.suffix in (".gz", ".xz", ".zst") or not path.is_file():
        return None
    return path.stat().st_size
