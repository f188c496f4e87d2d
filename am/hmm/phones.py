"""The phone table: phones in word-position variants and their integer ids.

As Kaldi's `prepare_lang.sh --position-dependent-phones true`: every phone of speech exists as
`_B` (begin of a word), `_I` (inside), `_E` (end) and `_S` (the whole word), so that the ends of
words can be read off a phone sequence.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from recognizer.data.errors import SpeechError
from recognizer.data.io.files import read_lines, replace_text

EPSILON = "<eps>"
SILENCE = "SIL"
SPOKEN_NOISE = "SPN"
POSITIONS = ("B", "I", "E", "S")


@dataclass(frozen=True)
class PhoneTable:
    """Phones and their ids: `symbols[id]`; id 0 is epsilon, 1 the silence, 2 the spoken noise.

    Attributes:
        symbols: `<eps>`, `SIL`, `SPN_S`, then `X_B`, `X_I`, `X_E`, `X_S` of each base phone.
    """

    symbols: tuple[str, ...]
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        expected = (EPSILON, SILENCE, f"{SPOKEN_NOISE}_S")
        if self.symbols[:3] != expected:
            raise SpeechError(
                f"phone table: expected the first symbols {' '.join(expected)}, "
                f"found {' '.join(self.symbols[:3]) or 'none'}"
            )
        object.__setattr__(self, "_ids", {symbol: i for i, symbol in enumerate(self.symbols)})
        if len(self._ids) != len(self.symbols):
            twice = next(s for i, s in enumerate(self.symbols) if self._ids[s] != i)
            raise SpeechError(f"phone table: expected distinct symbols, found {twice!r} twice")
        for start in range(3, len(self.symbols), 4):
            base = self.symbols[start].rpartition("_")[0]
            variants = tuple(f"{base}_{position}" for position in POSITIONS)
            if not base or self.symbols[start : start + 4] != variants:
                raise SpeechError(
                    f"phone table: id {start}: expected the _B _I _E _S variants of one phone, "
                    f"found {' '.join(self.symbols[start : start + 4])}"
                )

    @classmethod
    def from_base(cls, phones: Iterable[str]) -> PhoneTable:
        """Builds the table of base phones, sorted; silence and spoken noise are added.

        Raises:
            SpeechError: if a phone's name is empty or has white space or an underscore.
        """
        base = sorted(set(phones) - {SILENCE, SPOKEN_NOISE})
        for phone in base:
            if not phone or "_" in phone or phone.split() != [phone] or phone[0] in "<#":
                raise SpeechError(
                    f"phone table: expected a phone name without blanks and underscores, "
                    f"found {phone!r}"
                )
        symbols = [EPSILON, SILENCE, f"{SPOKEN_NOISE}_S"]
        symbols += [f"{phone}_{position}" for phone in base for position in POSITIONS]
        return cls(tuple(symbols))

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def ids(self) -> range:
        """All phone ids, without epsilon."""
        return range(1, len(self.symbols))

    @property
    def base_phones(self) -> tuple[str, ...]:
        """The base phones of speech in id order, without silence and spoken noise."""
        return tuple(self.base(i) for i in range(3, len(self.symbols), 4))

    @property
    def silence(self) -> frozenset[int]:
        """Ids of the phones that are no speech sounds: silence and spoken noise."""
        return frozenset((1, 2))

    @property
    def optional_silence(self) -> int:
        """Id of the silence that may stand between words."""
        return 1

    def id(self, name: str) -> int:
        """Id of a phone such as `AH_I`.

        Raises:
            SpeechError: if the table lacks it.
        """
        try:
            return self._ids[name]
        except KeyError:
            raise SpeechError(
                f"phone table: expected one of its {len(self.symbols) - 1} phones, found {name!r}"
            ) from None

    def base(self, phone: int) -> str:
        """Name without the word position: `AH` for `AH_I`, `SIL` for `SIL`."""
        symbol = self.symbols[phone]
        return symbol if phone < 2 else symbol[:-2]

    def position(self, phone: int) -> str:
        """Word position: `B`, `I`, `E`, `S`, or empty for silence and epsilon."""
        return "" if phone < 2 else self.symbols[phone][-1]

    def variants(self, base: str) -> tuple[int, ...]:
        """Ids of all word-position variants of a base phone."""
        if base == SILENCE:
            return (1,)
        if base == SPOKEN_NOISE:
            return (2,)
        first = self.id(f"{base}_B")
        return tuple(range(first, first + 4))

    def word_phones(
        self, phones: Sequence[str], *, begins: bool = True, ends: bool = True
    ) -> tuple[int, ...]:
        """Ids of a word's pronunciation, given in base phones, in word-position variants.

        Args:
            phones: of the word, or of a piece of one.
            begins: whether the first phone begins the word.
            ends: whether the last phone ends it.

        Raises:
            SpeechError: if the pronunciation is empty or has a phone that the table lacks, or
                silence or spoken noise among other phones.
        """
        if not phones:
            raise SpeechError("pronunciation: expected at least one phone, found none")
        if len(phones) == 1 and phones[0] == SILENCE:
            return (1,)
        positions = ["I"] * len(phones)
        if ends:
            positions[-1] = "E"
        if begins:
            positions[0] = "S" if ends and len(phones) == 1 else "B"
        pairs = zip(phones, positions, strict=True)
        return tuple(self.id(f"{phone}_{position}") for phone, position in pairs)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes Kaldi's `phones.txt`: a symbol and its id on each line."""
        with replace_text(path) as stream:
            stream.writelines(f"{symbol} {i}\n" for i, symbol in enumerate(self.symbols))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PhoneTable:
        """Reads `phones.txt`.

        Raises:
            SpeechError: naming the file and the line, if it is missing or not such a table.
        """
        symbols = []
        for number, line in enumerate(read_lines(path)):
            fields = line.split()
            if len(fields) != 2 or fields[1] != str(number):
                raise SpeechError(f"{path}:{number + 1}: expected 'PHONE {number}', found {line!r}")
            symbols.append(fields[0])
        try:
            return cls(tuple(symbols))
        except SpeechError as error:
            raise SpeechError(f"{path}: {error}") from None
