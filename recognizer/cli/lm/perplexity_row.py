"""How commands of ``recognizer lm`` print perplexities: a line of columns separated by tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recognizer.lm.model.perplexity import Perplexity

COLUMNS = "file\tsentences\twords\toov\tlog10_prob\tperplexity\tperplexity_with_oov"


def perplexity_row(name: str, result: Perplexity) -> str:
    """The line of a text."""
    return (
        f"{name}\t{result.sentences}\t{result.words}\t{result.oov}\t{result.log10_prob:.4f}\t"
        f"{result.perplexity:.4f}\t{result.perplexity_with_oov:.4f}"
    )
