from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from align_toys import LEXICON, PHONES, context_tree, small_topology, standard_aligner
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.decision_tree import Tree, monophone_tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.decoding.alignment.align import (
    Aligner,
    AlignmentError,
    AlignOptions,
    path_alignment,
)
from recognizer.decoding.alignment.utterance_graph import GraphCompiler
from recognizer.decoding.graph.options import GraphOptions

INF = np.inf


def phone_sequences(words: tuple[str, ...], silence: float) -> Iterator[tuple[list[int], float]]:
    """Every way to say the words, with its log probability, straight from the lexicon."""
    ways = []
    for word in words:
        entries = LEXICON[word] if word in LEXICON else (Pronunciation(word, ("SPN",)),)
        ways.append([(PHONES.word_phones(e.phones), np.log(e.probability)) for e in entries])
    for chosen in itertools.product(*ways):
        for quiet in itertools.product((False, True), repeat=len(words) + 1):
            phones = [1] if quiet[0] else []
            score = np.log(silence if quiet[0] else 1 - silence)
            for (said, log_prob), pause in zip(chosen, quiet[1:], strict=True):
                phones += [*said, *([1] if pause else [])]
                score += log_prob + np.log(silence if pause else 1 - silence)
            yield phones, float(score)


def all_paths(
    words: tuple[str, ...],
    frames: int,
    tree: Tree,
    model: TransitionModel,
    silence: float,
    self_loop_scale: float = 0.1,
) -> dict[tuple[int, ...], float]:
    """Every transition-id sequence of the words and its graph score, by brute force."""
    scaled = model.scaled_log_probs(self_loop_scale, 1.0)
    found: dict[tuple[int, ...], float] = {}

    def extend(
        tids: tuple[int, ...], score: float, states: list[tuple[int, int, int]], index: int
    ) -> None:
        if len(tids) > frames:
            return
        if index == len(states):
            if len(tids) == frames:
                found[tids] = max(found.get(tids, -INF), score)
            return
        phone, state, pdf = states[index]
        for arc, (to, _) in enumerate(model.topology.states(phone)[state].transitions):
            if to == state:
                continue
            forward = model.transition_id(phone, state, pdf, arc)
            loop = int(model.self_loop[forward])
            for stay in range(frames - len(tids) if loop else 1):
                extend(
                    (*tids, forward, *[loop] * stay),
                    score + float(scaled[forward] + stay * scaled[loop]),
                    states,
                    index + to - state,
                )

    for phones, score in phone_sequences(words, silence):
        states = [
            (phone, state, pdf)
            for left, phone, right in zip([0, *phones], phones, [*phones[1:], 0], strict=False)
            for state, pdf in enumerate(tree.pdfs(left, phone, right))
        ]
        extend((), score, states, 0)
    return found


@pytest.mark.parametrize(
    "words", [("a",), ("ab", "c"), ("ab", "ab"), ("zzz", "a"), ("c", "ab", "a")]
)
@pytest.mark.parametrize(("silence", "chain"), [(0.5, False), (0.2, False), (0.5, True)])
def test_alignment_is_the_best_of_all_paths_of_the_transcript(
    words: tuple[str, ...], silence: float, chain: bool
) -> None:
    tree = monophone_tree(PHONES, Topology.chain(PHONES)) if chain else context_tree()
    topology = Topology.chain(PHONES) if chain else small_topology()
    model = TransitionModel(topology, PHONES, tree.tuples())
    graph = GraphOptions(silence_probability=silence, self_loop_scale=1.0 if chain else 0.1)
    options = AlignOptions(acoustic_scale=0.5, graph=graph, beam=1e9)
    aligner = Aligner(LEXICON, PHONES, tree, model, options)
    paths = all_paths(words, 6, tree, model, silence, graph.self_loop_scale)
    rng = np.random.default_rng(len(words))
    for _ in range(20):
        scores = rng.normal(scale=4.0, size=(6, tree.num_pdfs)).astype(np.float32)
        totals = {
            tids: score + 0.5 * sum(scores[t, model.pdf[tid]] for t, tid in enumerate(tids))
            for tids, score in paths.items()
        }
        best = max(totals, key=totals.__getitem__)
        found = aligner.path(words, scores)
        assert found.log_prob == pytest.approx(totals[best], abs=1e-3)
        assert totals[tuple(found.tids.tolist())] == pytest.approx(totals[best], abs=1e-3)
        lazily = aligner.path(words, lambda pdfs, scores=scores: scores[:, pdfs])
        np.testing.assert_array_equal(lazily.tids, found.tids)


def test_boundaries_are_where_the_acoustics_change() -> None:
    aligner, model = standard_aligner()
    spoken = [(1, 8), (PHONES.id("A_B"), 5), (PHONES.id("B_E"), 7), (1, 6), (PHONES.id("C_S"), 4)]
    labels = np.repeat([phone for phone, _ in spoken], [n for _, n in spoken])
    phone_of_pdf = {}
    for phone, _, pdf in model.tuples:
        phone_of_pdf.setdefault(pdf, set()).add(phone)
    scores = np.array(
        [
            [0.0 if label in phone_of_pdf[pdf] else -60.0 for pdf in range(model.num_pdfs)]
            for label in labels
        ],
        dtype=np.float32,
    )
    words = ("ab", "c")
    path = aligner.path(words, scores)
    model, phones = aligner.transitions, aligner.phones
    alignment = path_alignment("u1", path.labels(words), path.tids, model, phones, 0.01)
    found = [(s.label, round(s.start * 100), round(s.end * 100)) for s in alignment.phones]
    assert found == [("SIL", 0, 8), ("A", 8, 13), ("B", 13, 20), ("SIL", 20, 26), ("C", 26, 30)]
    assert [(s.label, round(s.start * 100), round(s.end * 100)) for s in alignment.words] == [
        ("ab", 8, 20),
        ("c", 26, 30),
    ]
    assert alignment.utterance == "u1"
    with pytest.raises(SpeechError, match="utterance u1: expected a path of 1 words, found 2"):
        path_alignment("u1", ("ab",), path.tids, model, phones, 0.01)


def test_unknown_words_are_spoken_noise() -> None:
    aligner, _ = standard_aligner(options=AlignOptions(graph=GraphOptions(silence_probability=0.0)))
    words = ("a", "xyzzy")
    assert aligner.unknown(words) == ["xyzzy"]
    path = aligner.path(words, np.zeros((12, aligner.transitions.num_pdfs), np.float32))
    found = aligner.segments(words, path)
    assert [segment.symbol for segment in found.phones] == ["A_S", "SPN_S"]
    assert [segment.word for segment in found.words] == ["a", "xyzzy"]


def test_too_few_frames_and_empty_transcripts_are_errors() -> None:
    aligner, model = standard_aligner()
    with pytest.raises(AlignmentError, match=r"at least the 6 frames .* found 5"):
        aligner.align(("ab", "a"), np.zeros((5, model.num_pdfs), np.float32))
    with pytest.raises(SpeechError, match="at least one word"):
        aligner.align((), np.zeros((5, model.num_pdfs), np.float32))


def test_the_second_beam_saves_an_utterance() -> None:
    """The word's first phones sound like anything else; that they come, only its end can tell."""
    topology = Topology.standard(PHONES)
    tree = monophone_tree(PHONES, topology)
    model = TransitionModel(topology, PHONES, tree.tuples())
    lexicon = Lexicon([Pronunciation("long", ("A",) * 20)])
    quiet = [pdf for phone, _, pdf in model.tuples if phone == 1]
    scores = np.full((70, model.num_pdfs), -100.0, dtype=np.float32)
    scores[:69, quiet] = 0.0

    def make(retry_beam: float) -> Aligner:
        options = AlignOptions(beam=1.0, retry_beam=retry_beam)
        return Aligner(lexicon, PHONES, tree, model, options)

    with pytest.raises(AlignmentError, match="within the beam"):
        make(0.0).path(("long",), scores)
    assert len(make(1e4).path(("long",), scores).tids) == 70


def test_even_paths_share_the_frames_equally() -> None:
    topology = Topology.standard(PHONES)
    tree = monophone_tree(PHONES, topology)
    model = TransitionModel(topology, PHONES, tree.tuples())
    compiler = GraphCompiler(LEXICON, PHONES, tree, model, 0.5)
    tids = compiler.even_path(("ab", "c"), 57)
    starts = model.phone_starts(tids)
    assert [PHONES.symbols[p] for p in model.phone[tids[starts]]] == [
        "SIL", "A_B", "B_E", "C_S", "SIL",
    ]  # fmt: skip
    visits = np.flatnonzero(~model.is_self_loop[tids])
    assert set(np.diff(np.append(visits, 57))) == {3}  # 19 states in 57 frames
    with pytest.raises(SpeechError, match="at least 19 frames, found 18"):
        compiler.even_path(("ab", "c"), 18)


def test_even_paths_visit_states_without_self_loops_for_one_frame() -> None:
    topology = Topology.chain(PHONES)
    tree = monophone_tree(PHONES, topology)
    model = TransitionModel(topology, PHONES, tree.tuples())
    compiler = GraphCompiler(LEXICON, PHONES, tree, model, 0.5)
    tids = compiler.even_path(("ab", "c"), 20)  # five phones, a frame and three frames each
    visits = np.flatnonzero(~model.is_self_loop[tids])
    assert np.diff(np.append(visits, 20)).tolist() == [1, 3] * 5
    assert len(compiler.even_path(("ab", "c"), 10)) == 10
    with pytest.raises(SpeechError, match="at least 10 frames, found 9"):
        compiler.even_path(("ab", "c"), 9)


@pytest.mark.parametrize(
    "options",
    [{"beam": 0.0}, {"acoustic_scale": 0.0}, {"retry_beam": -1.0}],
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        AlignOptions(**options)
