"""Denominator and numerator graphs of toy languages, against enumeration of phone sequences."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import FrameContexts
from recognizer.am.tree.decision_tree import Leaf, Split, Tree, monophone_tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.lm.estimation.acceptor import AcceptorOptions, NgramAcceptor, estimate_acceptor
from recognizer.lm.estimation.acceptor_extension import extended_acceptor
from recognizer.pipelines.sequence.denominator import ChainPdfs, denominator_graph
from recognizer.pipelines.sequence.numerator import (
    NumeratorGraphs,
    NumeratorOptions,
    PhoneSegments,
)
from recognizer.pipelines.sequence.transcript_numerator import (
    SilenceOptions,
    TranscriptNumerators,
    Transcripts,
)
from sequence_toys import denominator_log_prob, denominator_paths, numerator_log_prob

PHONES = PhoneTable.from_base(["A", "B"])
CHAIN = Topology.chain(PHONES)
SEQUENCES = [
    [1, 3, 6, 1], [3, 5, 1], [1, 4, 4, 1], [3, 3, 1, 6], [1, 3, 6, 3, 5], [6], [1],
]  # fmt: skip


def biphone_tree(position: int = 0) -> Tree:
    """Each state of A and B asks whether silence or A is beside it."""
    flat = monophone_tree(PHONES, CHAIN)
    nodes: list[Leaf | Split] = list(flat.nodes)
    pdfs = flat.num_pdfs
    roots = [list(states) for states in flat.roots]
    beside = (frozenset({0, 1}), frozenset(PHONES.variants("A")))
    for base, asked in zip("AB", beside, strict=True):
        for state in (0, 1):
            old = nodes[flat.roots[PHONES.variants(base)[0]][state]]
            assert isinstance(old, Leaf)
            for phone in PHONES.variants(base):
                roots[phone][state] = len(nodes)
            nodes += [Split(position, asked, len(nodes) + 1, len(nodes) + 2), old, Leaf(pdfs)]
            pdfs += 1
    used = sorted(
        {root for states in roots for root in states} | set(range(len(flat.nodes), len(nodes)))
    )
    number = {old: new for new, old in enumerate(used)}
    kept = [
        node if isinstance(node, Leaf)
        else Split(node.position, node.phones, number[node.yes], number[node.no])
        for node in (nodes[old] for old in used)
    ]  # fmt: skip
    return Tree(kept, [[number[root] for root in states] for states in roots])


def parts(
    options: AcceptorOptions | None = None,
) -> tuple[NgramAcceptor, ChainPdfs, Tree]:
    tree = biphone_tree()
    model = estimate_acceptor(SEQUENCES, options or AcceptorOptions(3, 2, 2))
    return model, ChainPdfs(tree, TransitionModel(CHAIN, PHONES, tree.tuples())), tree


def frame_sequences(frames: int) -> list[tuple[tuple[int, int], ...]]:
    """All ways to cut frames into phones' lengths, as (begin, end) pairs."""
    ways = []
    for cuts in product((False, True), repeat=frames - 1):
        edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), frames]
        ways.append(tuple(pairwise(edges)))
    return ways


def sequence_score(
    tree: Tree, phones: tuple[int, ...], times: tuple[tuple[int, int], ...], logits: np.ndarray
) -> float:
    """Acoustic score and topology of phones at these times."""
    total = 0.0
    for left, phone, (begin, end) in zip((0, *phones), phones, times, strict=False):
        first, further = tree.pdfs(left, phone, 0)
        total += logits[begin, first] + logits[begin + 1 : end, further].sum()
    return total + len(logits) * float(np.log(0.5))


@pytest.mark.parametrize("options", [(2, 2, 0), (3, 2, 0), (3, 2, 2), (4, 3, 1)])
def test_denominator_sums_over_all_phone_sequences(options: tuple[int, int, int]) -> None:
    model, pdfs, tree = parts(AcceptorOptions(*options))
    graph = denominator_graph(model, pdfs)
    successors = model.successors()
    rng = np.random.default_rng(0)
    for frames in (1, 2, 4):
        logits = rng.normal(size=(frames, graph.outputs)) * 2
        total = -np.inf
        for times in frame_sequences(frames):
            for phones in product(range(1, len(PHONES)), repeat=len(times)):
                state, score = model.start, 0.0
                for phone in phones:
                    if (state, phone) not in successors:
                        break
                    state, log_prob = successors[state, phone]
                    score += log_prob
                else:
                    score += sequence_score(tree, phones, times, logits)
                    total = np.logaddexp(total, score)
        assert denominator_log_prob(graph, logits, 0.0) == pytest.approx(total, abs=1e-5)
        if frames < 3 and graph.num_arcs < 40:
            assert denominator_paths(graph, logits) == pytest.approx(total, abs=1e-5)


def test_occupancy_is_that_of_random_paths() -> None:
    model, pdfs, _ = parts()
    graph = denominator_graph(model, pdfs)
    assert graph.outputs == pdfs.outputs
    # By the definition, in matrices: shares of what leaves a state, the end of the sequence among
    # it; what has ended is distributed over what goes on.
    probs = np.exp(graph.log_probs.astype(np.float64))
    matrix = np.zeros((graph.num_states, graph.num_states))
    np.add.at(matrix, (graph.sources, graph.destinations), probs)
    assert (matrix.sum(1)[1:] <= 1 + 1e-6).all() and (matrix.sum(1)[1:] >= 0.5).all()
    assert graph.occupancy.sum() == pytest.approx(1)
    assert graph.occupancy[graph.start] == pytest.approx(0.01, rel=1e-3)
    assert (graph.occupancy > 0).all()


def segments(draw_lengths: list[int], phones: list[int]) -> PhoneSegments:
    begins = np.concatenate(([0], np.cumsum(draw_lengths)[:-1])).astype(float)
    return PhoneSegments(np.array(phones, np.int32), begins, int(sum(draw_lengths)))


@settings(deadline=None, max_examples=80)
@given(
    data=st.data(), sequence=st.sampled_from(SEQUENCES), subsampling=st.integers(1, 3),
    tolerance=st.integers(0, 5), seed=st.integers(0, 99),
)  # fmt: skip
def test_numerator_has_the_phones_at_their_times(
    data: st.DataObject, sequence: list[int], subsampling: int, tolerance: int, seed: int
) -> None:
    model, pdfs, tree = parts()
    lengths = data.draw(st.lists(st.integers(1, 5), min_size=len(sequence), max_size=len(sequence)))
    given = segments(lengths, sequence)
    graphs = NumeratorGraphs(model, pdfs, subsampling, NumeratorOptions(tolerance))
    frames = -(-given.frames // subsampling)
    logits = np.random.default_rng(seed).normal(size=(frames, pdfs.outputs))
    ends = np.append(given.begins[1:], given.frames)
    successors, state, weight = model.successors(), model.start, 0.0
    for phone in sequence:
        state, log_prob = successors[state, phone]
        weight += log_prob

    def allowed(times: tuple[tuple[int, int], ...]) -> bool:
        """Whether every output frame of each phone touches its widened segment."""
        return all(
            subsampling * (k + 1) > begin - tolerance and subsampling * k < end + tolerance
            for (first, last), begin, end in zip(times, given.begins, ends, strict=True)
            for k in range(first, last)
        )

    total = -np.inf
    for times in frame_sequences(frames):
        if len(times) == len(sequence) and allowed(times):
            score = sequence_score(tree, tuple(sequence), times, logits)
            total = np.logaddexp(total, weight + score)
    if not np.isfinite(total):
        with pytest.raises(SpeechError, match="supervision longer than its chunk") as caught:
            graphs.graph(given)
        assert "\n" not in str(caught.value)
        return
    graph = graphs.graph(given)
    assert graph.fault(pdfs.outputs) == "" and len(graph) == frames
    found = numerator_log_prob(graph, logits)
    assert found == pytest.approx(total, abs=1e-5)
    # Its paths are some of the denominator's.
    assert found <= denominator_log_prob(denominator_graph(model, pdfs), logits, 0.0) + 1e-5


@pytest.mark.parametrize("size", [(2, 2, 0), (3, 2, 2), (4, 3, 1)])
def test_orders_of_phones_that_the_model_lacks_are_added(size: tuple[int, int, int]) -> None:
    """The numerator of new phones has its weight in the denominator that is made with them."""
    model, pdfs, tree = parts(AcceptorOptions(*size))
    new, lengths = [5, 2, 6, 1], [1, 1, 2, 1]
    given = segments(lengths, new)
    with pytest.raises(SpeechError, match="order that the phone language model has seen"):
        NumeratorGraphs(model, pdfs, 1).graph(given)
    model = extended_acceptor(model, [new], AcceptorOptions(*size))
    graph = NumeratorGraphs(model, pdfs, 1).graph(given)
    logits = np.random.default_rng(0).normal(size=(5, pdfs.outputs)) * 2
    successors, state, weight = model.successors(), model.start, 0.0
    for phone in new:
        state, log_prob = successors[state, phone]
        weight += log_prob
    total = -np.inf
    for times in frame_sequences(5):
        if len(times) == len(new):
            score = weight + sequence_score(tree, tuple(new), times, logits)
            total = np.logaddexp(total, score)
    assert numerator_log_prob(graph, logits) == pytest.approx(total, abs=1e-5)
    assert total < denominator_log_prob(denominator_graph(model, pdfs), logits, 0.0)


def test_segments_of_alignments_and_of_their_versions() -> None:
    contexts = FrameContexts(
        left=np.array([0, 0, 1, 1, 1, 3, 3], np.int32),
        phone=np.array([1, 1, 3, 3, 3, 3, 3], np.int32),
        right=np.array([3, 3, 3, 3, 3, 0, 0], np.int32),
        hmm_state=np.array([0, 1, 0, 1, 2, 0, 1], np.int32),
    )
    found = PhoneSegments.of(contexts)
    assert found.phones.tolist() == [1, 3, 3]
    assert found.begins.tolist() == [0, 2, 5] and found.frames == 7
    faster = found.version(6, speed=1.1, first=1)
    assert faster.frames == 6
    np.testing.assert_allclose(faster.begins, [0, 2 / 1.1 - 1, 5 / 1.1 - 1])


def test_what_does_not_go_together_is_refused() -> None:
    model, pdfs, tree = parts()
    graphs = NumeratorGraphs(model, pdfs, 3)
    with pytest.raises(SpeechError, match="found A_I after A_B"):
        graphs.graph(segments([9, 9], [3, 4]))
    with pytest.raises(UsageError, match="tolerance"):
        NumeratorOptions(-1)
    right = biphone_tree(position=2)
    with pytest.raises(SpeechError, match="left biphones"):
        ChainPdfs(right, TransitionModel(CHAIN, PHONES, right.tuples()))
    standard = monophone_tree(PHONES, Topology.standard(PHONES))
    with pytest.raises(SpeechError, match="chain topology"):
        ChainPdfs(standard, TransitionModel(Topology.standard(PHONES), PHONES, standard.tuples()))
    transitions = TransitionModel(CHAIN, PHONES, tree.tuples())
    counts = np.arange(transitions.num_transition_ids + 1) + 5.0
    with pytest.raises(SpeechError, match="transition probabilities"):
        ChainPdfs(tree, transitions.update(counts))


LEXICON = Lexicon(
    [
        Pronunciation("ab", ("A", "B")),
        Pronunciation("ab", ("B",), 0.5),
        Pronunciation("a", ("A",)),
    ]
)


def spoken_ways(words: tuple[str, ...]) -> set[tuple[int, ...]]:
    """All pronunciations with and without silences, as the lexicon has them."""
    ways: list[list[tuple[int, ...]]] = [[(), (1,)]]
    for word in words:
        entries = LEXICON[word] if word in LEXICON else [Pronunciation(word, ("SPN",))]
        ways += [[PHONES.word_phones(entry.phones) for entry in entries], [(), (1,)]]
    return {tuple(phone for part in chosen for phone in part) for chosen in product(*ways)}


@pytest.mark.parametrize("words", [("ab",), ("ab", "a"), ("a", "zzz"), ("ab", "ab")])
@pytest.mark.parametrize("frames", [2, 4, 5])
def test_transcript_numerators_sum_over_all_ways_to_say_it(
    words: tuple[str, ...], frames: int
) -> None:
    tree = biphone_tree()
    pdfs = ChainPdfs(tree, TransitionModel(CHAIN, PHONES, tree.tuples()))
    transcripts = Transcripts(LEXICON, PHONES)
    rng = np.random.default_rng(0)
    model = estimate_acceptor(
        [transcripts.draw(words, rng, SilenceOptions(0.5, 0.5)) for _ in range(12)],
        AcceptorOptions(3, 2, 3),
    )
    logits = rng.normal(size=(frames, pdfs.outputs))
    successors, total, shortest = model.successors(), -np.inf, 99
    for phones in spoken_ways(words):
        state, weight = model.start, 0.0
        for phone in phones:
            state, log_prob = successors.get((state, phone), (0, -np.inf))
            weight += log_prob
            if weight == -np.inf:
                break
        if weight == -np.inf:
            continue
        shortest = min(shortest, len(phones))
        for times in frame_sequences(frames):
            if len(times) == len(phones):
                score = weight + sequence_score(tree, phones, times, logits)
                total = np.logaddexp(total, score)
    numerators = TranscriptNumerators(transcripts, model, pdfs)
    if shortest > frames:
        with pytest.raises(SpeechError, match=f"longer than its chunk: {shortest} phones"):
            numerators.graph(words, frames)
        return
    graph = numerators.graph(words, frames)
    assert graph.fault(pdfs.outputs) == ""
    found = numerator_log_prob(graph, logits)
    assert found == pytest.approx(total, abs=1e-5)
    assert found <= denominator_log_prob(denominator_graph(model, pdfs), logits, 0.0) + 1e-5


def test_transcripts_that_the_phone_model_cannot_say_are_refused() -> None:
    model, pdfs, _ = parts()
    numerators = TranscriptNumerators(Transcripts(LEXICON, PHONES), model, pdfs)
    with pytest.raises(SpeechError, match="none of its pronunciations"):
        numerators.graph(("zzz", "zzz"), 50)


def test_drawn_phone_sequences_say_the_transcript() -> None:
    transcripts = Transcripts(LEXICON, PHONES)
    rng = np.random.default_rng(0)
    words = ("ab", "a", "zzz")
    drawn = {tuple(transcripts.draw(words, rng)) for _ in range(200)}
    assert drawn <= spoken_ways(words) and len(drawn) > 8
    always = SilenceOptions(edge=1.0, between=0.0)
    assert transcripts.draw(("a",), rng, always) == [1, *PHONES.word_phones(("A",)), 1]
    assert transcripts.draw((), rng, SilenceOptions(0.0, 0.0)) == [1]
    with pytest.raises(UsageError, match="silence: between"):
        SilenceOptions(between=1.5)
