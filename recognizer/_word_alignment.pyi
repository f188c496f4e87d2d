"""Alignment of two word networks; see ``recognizer/csrc/evaluation/word_alignment.h``."""

import numpy as np
import numpy.typing as npt

_Int32 = npt.NDArray[np.int32]
_UInt8 = npt.NDArray[np.uint8]

def align_networks(
    words: _Int32,
    kinds: _UInt8,
    offsets: _Int32,
    predecessors: _Int32,
    finals: _Int32,
    other_words: _Int32,
    other_kinds: _UInt8,
    other_offsets: _Int32,
    other_predecessors: _Int32,
    other_finals: _Int32,
) -> tuple[_Int32, _Int32]: ...
