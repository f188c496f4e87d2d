"""Words of a corpus without a pronunciation, which are aligned as spoken noise."""

from __future__ import annotations

from collections import Counter

from recognizer.data.corpora.corpus import Corpus
from recognizer.data.errors import SpeechError
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.text.transcripts import is_tag

MAX_NOISE = 0.05
"""Share of the words of a corpus that may be without a pronunciation."""


def unknown_words(corpus: Corpus, lexicon: Lexicon) -> dict[str, list[tuple[int, str]]]:
    """Index and word of each word without a pronunciation, by utterance; tags are no words."""
    found = {
        utterance.id: [
            (index, token)
            for index, token in enumerate(utterance.tokens)
            if token not in lexicon and not is_tag(token)
        ]
        for utterance in corpus
    }
    return {key: words for key, words in found.items() if words}


def check_noise(corpus: Corpus, lexicon: Lexicon, max_noise: float = MAX_NOISE) -> None:
    """Refuse a corpus too many of whose words have no pronunciation and would be noise.

    Raises:
        SpeechError: the share of such words is above `max_noise`.
    """
    words = sum(len(utterance.words) for utterance in corpus)
    unknown = unknown_words(corpus, lexicon).values()
    counts = Counter(word for some in unknown for _, word in some)
    noise = counts.total()
    if noise > max_noise * words:
        most = ", ".join(f"{word} ({count})" for word, count in counts.most_common(10))
        raise SpeechError(
            f"{corpus.name}: expected pronunciations for at least {100 * (1 - max_noise):g} % of "
            f"the words, found none for {noise} of {words} ({100 * noise / words:.1f} %), which "
            f"would be aligned as noise: {most}"
        )
