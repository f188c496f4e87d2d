"""What search and rescoring ask of a language model, and the models that answer."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import DAMAGE, open_bytes
from recognizer.lm.arpa.files import read_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.ngram.model import BEGIN, END, LOG_OF_10

_KENLM_MAGIC = b"mmap lm http://kheafield.com/code"

State = TypeVar("State", bound=Hashable)


class LanguageModel(Protocol[State]):
    """Scores a sentence word by word; natural logs, higher is better.

    States are hashable and equal only if all continuations score alike, so that lattice paths
    can be merged on them. A word outside the vocabulary scores as `<unk>`.
    """

    def start(self) -> State:
        """The state at the beginning of a sentence."""
        ...

    def score(self, state: State, word: str) -> tuple[float, State]:
        """Log p(word | state), and the state after the word."""
        ...

    def final(self, state: State) -> float:
        """Log p(end of sentence | state)."""
        ...

    def __contains__(self, word: object) -> bool:
        """Whether the word is in the vocabulary (`<unk>` is not a word)."""
        ...


def read_language_model(
    path: str | os.PathLike[str], *, resident: bool = False
) -> LanguageModel[Any]:
    """A large model with exact back-off.

    Args:
        path: a file of `NgramAutomaton.save`, which is mapped; an ARPA file, plain or compressed,
            which is made into an automaton in memory; or a KenLM binary, which KenLM answers for.
        resident: read a file of `NgramAutomaton.save` into memory (`NgramAutomaton.resident`).

    Raises:
        UsageError: it is a KenLM binary, and KenLM is not installed.
        SpeechError: the file is missing or damaged.
    """
    with open_bytes(path) as stream:
        try:
            head = stream.read(len(_KENLM_MAGIC))
        except DAMAGE as error:
            raise SpeechError(f"{path}: damaged: {error}") from error
    if head == _KENLM_MAGIC:
        return KenlmModel(path)
    if head[8:9] == b"{":  # after the header's length in eight bytes
        return NgramAutomaton.open(path, resident=resident)
    return NgramAutomaton.from_model(read_arpa(path))


class KenlmModel:
    """KenLM's answers for an ARPA file, plain or compressed, or a KenLM binary.

    Args:
        path: the file. A compressed one is unpacked to a temporary file first: KenLM's wheels may
            be compiled without zlib.

    Raises:
        UsageError: KenLM is not installed.
        SpeechError: the file is missing or damaged, or KenLM refuses it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path)
        try:
            import kenlm
        except ImportError:
            raise UsageError(
                f"{path}: reading it needs KenLM: pip install 'recognizer[kenlm]'"
            ) from None
        if not path.is_file():
            found = "a directory" if path.is_dir() else "nothing"
            raise SpeechError(f"{path}: expected a language model, found {found}")
        config = kenlm.Config()
        config.show_progress = False
        config.arpa_complain = kenlm.ARPALoadComplain.NONE
        with _unpacked(path) as plain:
            try:
                self._model: Any = kenlm.Model(str(plain), config)
            except (OSError, RuntimeError) as error:
                reason = " ".join(str(error.__cause__ or error).split())
                raise SpeechError(f"{path}: KenLM cannot load it: {reason}") from error
        self._new_state = kenlm.State

    @property
    def order(self) -> int:
        """The longest n-gram's number of words."""
        return int(self._model.order)

    def start(self) -> Hashable:
        """The state at the beginning of a sentence."""
        state = self._new_state()
        self._model.BeginSentenceWrite(state)
        return state  # type: ignore[no-any-return]

    def score(self, state: Hashable, word: str) -> tuple[float, Hashable]:
        """Log p(word | state), and the state after the word."""
        after = self._new_state()
        return self._model.BaseScore(state, word, after) * LOG_OF_10, after

    def final(self, state: Hashable) -> float:
        """Log p(end of sentence | state)."""
        log10_prob: float = self._model.BaseScore(state, END, self._new_state())
        return log10_prob * LOG_OF_10

    def __contains__(self, word: object) -> bool:
        """Whether the word is in the vocabulary."""
        return isinstance(word, str) and word not in (BEGIN, END) and word in self._model


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The path itself, or for a compressed file that of a temporary file with its content."""
    if path.suffix not in (".gz", ".xz", ".zst"):
        yield path
        return
    with tempfile.NamedTemporaryFile(suffix=".arpa") as plain:
        try:
            with open_bytes(path) as packed:
                shutil.copyfileobj(packed, plain, 1 << 20)
        except DAMAGE as error:
            raise SpeechError(f"{path}: damaged: {error}") from error
        plain.flush()
        yield Path(plain.name)
