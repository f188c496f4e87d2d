"""A tagger as torch trains it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from recognizer.data.text.tags import MARKS
from recognizer.lm.tagging.options import OUTPUTS, TaggerOptions


class TaggerNetwork(nn.Module):
    """The network of `recognizer.lm.tagging.options`.

    Args:
        options: its shape.
        words: of the vocabulary.
        endings: of the vocabulary.
        dropout: probability of leaving out an element of what each layer reads.
    """

    def __init__(
        self, options: TaggerOptions, words: int, endings: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(words, options.width)
        self.endings = nn.Embedding(endings, options.width)
        between = dropout if options.layers > 1 else 0.0
        self.gru = nn.GRU(
            options.width,
            options.units,
            options.layers,
            batch_first=True,
            dropout=between,
            bidirectional=True,
        )
        self.output = nn.Linear(2 * options.units, OUTPUTS)
        self.dropout = nn.Dropout(dropout)
        for table in (self.words, self.endings):
            nn.init.normal_(table.weight, std=0.3)

    def forward(self, word_ids: Tensor, ending_ids: Tensor) -> Tensor:
        """Logits of marks, then of cases ``[B, T, M + C]``, of texts ``[B, T]``."""
        vectors = self.dropout(self.words(word_ids) + self.endings(ending_ids))
        outputs, _ = self.gru(vectors)
        found: Tensor = self.output(self.dropout(outputs))
        return found

    def loss(self, word_ids: Tensor, ending_ids: Tensor, marks: Tensor, cases: Tensor) -> Tensor:
        """Mean cross-entropy of a word's mark plus that of its case, in nats.

        All arguments are integers ``[B, T]``; marks and cases are indices of
        `recognizer.data.text.tags`.
        """
        logits = self(word_ids, ending_ids).flatten(0, 1)
        of_marks = functional.cross_entropy(logits[:, : len(MARKS)], marks.flatten())
        of_cases = functional.cross_entropy(logits[:, len(MARKS) :], cases.flatten())
        return of_marks + of_cases
