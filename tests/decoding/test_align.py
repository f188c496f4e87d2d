from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from am.phones import PhoneTable
from am.topology import HmmState, Topology
from am.transitions import TransitionModel
from am.tree import Leaf, Split, Tree, monophone_tree
from data.errors import SpeechError, UsageError
from data.lexicon import Lexicon, Pronunciation
from decoding._align import viterbi
from decoding.align import Aligner, AlignmentError, AlignOptions
from decoding.utterance_graph import GraphCompiler

INF = np.inf


def graph_arrays(rng: np.random.Generator, nodes: int, columns: int) -> dict[str, np.ndarray]:
    """A random graph as the native search takes it."""
    arcs = [(s, t) for s in range(nodes) for t in range(nodes) if s != t and rng.random() < 0.5]
    counts = np.bincount([s for s, _ in arcs], minlength=nodes)
    loops = rng.normal(size=nodes).astype(np.float32)
    loops[rng.random(nodes) < 0.3] = -INF
    finals = rng.normal(size=nodes).astype(np.float32)
    finals[rng.random(nodes) < 0.5] = -INF
    starts = np.flatnonzero(rng.random(nodes) < 0.7).astype(np.int32)
    return {
        "columns": rng.integers(0, columns, nodes).astype(np.int32),
        "loop_log_probs": loops,
        "final_log_probs": finals,
        "offsets": np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        "targets": np.array([t for _, t in arcs], dtype=np.int32),
        "arc_log_probs": rng.normal(size=len(arcs)).astype(np.float32),
        "starts": starts,
        "start_log_probs": rng.normal(size=len(starts)).astype(np.float32),
    }


def score_of(
    path: tuple[int, ...], graph: dict[str, np.ndarray], scores: np.ndarray, scale: float
) -> float:
    """The score of a node sequence from the definition, -inf where it is no path."""
    starts = dict(zip(graph["starts"].tolist(), graph["start_log_probs"].tolist(), strict=True))
    total = starts.get(path[0], -INF) + graph["final_log_probs"][path[-1]]
    for before, after in itertools.pairwise(path):
        if before == after:
            total += graph["loop_log_probs"][before]
            continue
        here = slice(graph["offsets"][before], graph["offsets"][before + 1])
        arcs = dict(zip(graph["targets"][here].tolist(), graph["arc_log_probs"][here], strict=True))
        total += arcs.get(after, -INF)
    return float(total + scale * sum(scores[t, graph["columns"][n]] for t, n in enumerate(path)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5))
def test_viterbi_finds_the_best_of_all_paths(seed: int, nodes: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    graph = graph_arrays(rng, nodes, 3)
    scores = rng.normal(size=(frames, 3)).astype(np.float32)
    best = max(
        score_of(path, graph, scores, 0.7)
        for path in itertools.product(range(nodes), repeat=frames)
    )
    found, log_prob = viterbi(scores, 0.7, 1e9, **graph)
    if best == -INF:
        assert found.size == 0 and log_prob == -INF
    else:
        assert log_prob == pytest.approx(best, abs=1e-4)
        assert score_of(tuple(found.tolist()), graph, scores, 0.7) == pytest.approx(best, abs=1e-4)


def test_a_narrow_beam_loses_what_a_wide_one_finds() -> None:
    """Two branches: the one that is worse at first is the only one that can end."""
    graph = {
        "columns": np.array([0, 1], dtype=np.int32),
        "loop_log_probs": np.zeros(2, dtype=np.float32),
        "final_log_probs": np.array([-INF, 0.0], dtype=np.float32),
        "offsets": np.zeros(3, dtype=np.int64),
        "targets": np.zeros(0, dtype=np.int32),
        "arc_log_probs": np.zeros(0, dtype=np.float32),
        "starts": np.array([0, 1], dtype=np.int32),
        "start_log_probs": np.zeros(2, dtype=np.float32),
    }
    scores = np.array([[0.0, -20.0], [0.0, 0.0]], dtype=np.float32)
    assert viterbi(scores, 1.0, 10.0, **graph)[0].size == 0
    found, log_prob = viterbi(scores, 1.0, 30.0, **graph)
    assert found.tolist() == [1, 1] and log_prob == -20.0


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_frames_that_nothing_can_emit_give_no_path(bad: float) -> None:
    graph = graph_arrays(np.random.default_rng(1), 3, 2)
    scores = np.zeros((4, 2), dtype=np.float32)
    scores[2] = bad
    assert viterbi(scores, 1.0, 10.0, **graph)[0].size == 0
    assert viterbi(np.zeros((0, 2), np.float32), 1.0, 10.0, **graph)[0].size == 0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("columns", np.array([0, 1, 2], np.int32), "columns"),
        ("columns", np.array([0, -1, 1], np.int32), "columns"),
        ("offsets", np.array([0, 1, 0, 2], np.int64), "ascend"),
        ("offsets", np.array([1, 1, 1, 2], np.int64), "start with 0"),
        ("offsets", np.array([0, 1, 1, 3], np.int64), "number of arcs"),
        ("offsets", np.array([0, 1, 2], np.int64), "expected 4 values, found 3"),
        ("targets", np.array([1, 3], np.int32), "targets"),
        ("targets", np.array([0, 1], np.int32), "leads to itself"),
        ("starts", np.array([-1], np.int32), "starts"),
        ("start_log_probs", np.zeros(2, np.float32), "start_log_probs"),
        ("loop_log_probs", np.zeros(1, np.float32), "loop_log_probs"),
        ("final_log_probs", np.zeros(1, np.float32), "final_log_probs"),
        ("arc_log_probs", np.zeros(1, np.float32), "arc_log_probs"),
        ("scale", -1.0, "scale"),
        ("scale", np.nan, "scale"),
        ("beam", 0.0, "beam"),
    ],
)
def test_the_border_refuses_arrays_that_do_not_fit(name: str, value: object, message: str) -> None:
    arguments: dict[str, object] = {
        "log_likelihoods": np.zeros((2, 2), np.float32),
        "scale": 1.0,
        "beam": 1.0,
        "columns": np.array([0, 1, 1], np.int32),
        "loop_log_probs": np.zeros(3, np.float32),
        "final_log_probs": np.zeros(3, np.float32),
        "offsets": np.array([0, 1, 1, 2], np.int64),
        "targets": np.array([1, 1], np.int32),
        "arc_log_probs": np.zeros(2, np.float32),
        "starts": np.array([0], np.int32),
        "start_log_probs": np.zeros(1, np.float32),
    }
    viterbi(**arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        viterbi(**{**arguments, name: value})  # type: ignore[arg-type]


def test_the_border_refuses_other_types() -> None:
    graph = graph_arrays(np.random.default_rng(0), 3, 2)
    with pytest.raises(TypeError):
        viterbi(np.zeros((2, 2)), 1.0, 1.0, **graph)  # float64
    with pytest.raises(TypeError):
        viterbi(np.zeros((2, 4), np.float32)[:, ::2], 1.0, 1.0, **graph)  # not contiguous


# A little world: one state a phone (two for silence), so that all paths can be listed.

PHONES = PhoneTable.from_base(["A", "B", "C"])
LEXICON = Lexicon(
    [
        Pronunciation("a", ("A",)),
        Pronunciation("ab", ("A", "B"), 1.0),
        Pronunciation("ab", ("C",), 0.25),
        Pronunciation("c", ("C",)),
    ]
)


def small_topology() -> Topology:
    return Topology(
        speech=(HmmState(((0, 0.5), (1, 0.5))),),
        silence=(HmmState(((0, 0.5), (1, 0.25), (2, 0.25))), HmmState(((1, 0.5), (2, 0.5)))),
        silence_phones=frozenset({1, 2}),
    )


def context_tree() -> Tree:
    """Asks for the left and the right neighbour, so that context across words matters."""
    flat = monophone_tree(PHONES, small_topology())
    nodes: list[Leaf | Split] = list(flat.nodes)
    roots = [list(states) for states in flat.roots]
    pdfs = flat.num_pdfs
    for base in ("A", "B", "C"):
        top = len(nodes)
        neighbours = frozenset({0, 1, *PHONES.variants("A")})
        leaf = flat.nodes[flat.roots[PHONES.variants(base)[0]][0]]
        assert isinstance(leaf, Leaf)
        nodes += [Split(0, neighbours, top + 1, top + 2), Split(2, neighbours, top + 3, top + 4)]
        nodes += [leaf, Leaf(pdfs), Leaf(pdfs + 1)]
        pdfs += 2
        for phone in PHONES.variants(base):
            roots[phone] = [top]
    used = sorted(
        {root for states in roots for root in states} | set(range(len(flat.nodes), len(nodes)))
    )
    number = {old: new for new, old in enumerate(used)}
    renumbered = [
        node
        if isinstance(node, Leaf)
        else Split(node.position, node.phones, number[node.yes], number[node.no])
        for node in (nodes[old] for old in used)
    ]
    return Tree(renumbered, [[number[root] for root in states] for states in roots])


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
    words: tuple[str, ...], frames: int, tree: Tree, model: TransitionModel, silence: float
) -> dict[tuple[int, ...], float]:
    """Every transition-id sequence of the words and its graph score, by brute force."""
    scaled = model.scaled_log_probs(0.1, 1.0)
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
            loop = model.self_loop_of(forward)
            for stay in range(frames - len(tids)):
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
@pytest.mark.parametrize("silence", [0.5, 0.2])
def test_alignment_is_the_best_of_all_paths_of_the_transcript(
    words: tuple[str, ...], silence: float
) -> None:
    tree = context_tree()
    model = TransitionModel(small_topology(), PHONES, tree.tuples())
    options = AlignOptions(acoustic_scale=0.5, silence_probability=silence, beam=1e9)
    aligner = Aligner(LEXICON, PHONES, tree, model, options)
    paths = all_paths(words, 6, tree, model, silence)
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


def standard_aligner(**options: float) -> tuple[Aligner, TransitionModel]:
    topology = Topology.standard(PHONES)
    tree = monophone_tree(PHONES, topology)
    model = TransitionModel(topology, PHONES, tree.tuples())
    return Aligner(LEXICON, PHONES, tree, model, AlignOptions(**options)), model


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
    tids = aligner.align(words, scores)
    alignment = aligner.segments("u1", words, tids, 0.01)
    found = [(s.label, round(s.start * 100), round(s.end * 100)) for s in alignment.phones]
    assert found == [("SIL", 0, 8), ("A", 8, 13), ("B", 13, 20), ("SIL", 20, 26), ("C", 26, 30)]
    assert [(s.label, round(s.start * 100), round(s.end * 100)) for s in alignment.words] == [
        ("ab", 8, 20),
        ("c", 26, 30),
    ]
    assert alignment.utterance == "u1"
    with pytest.raises(SpeechError, match="expected a path of 1 words, found 2"):
        aligner.segments("u1", ("ab",), tids, 0.01)


def test_unknown_words_are_spoken_noise() -> None:
    aligner, _ = standard_aligner(silence_probability=0.0)
    words = ("a", "xyzzy")
    assert aligner.unknown(words) == ["xyzzy"]
    tids = aligner.align(words, np.zeros((12, aligner.transitions.num_pdfs), np.float32))
    alignment = aligner.segments("u", words, tids, 0.01)
    assert [s.label for s in alignment.phones] == ["A", "SPN"]
    assert [s.label for s in alignment.words] == ["a", "xyzzy"]


def test_too_few_frames_and_empty_transcripts_are_errors() -> None:
    aligner, model = standard_aligner()
    with pytest.raises(AlignmentError, match="in 5 frames"):
        aligner.align(("ab", "a"), np.zeros((5, model.num_pdfs), np.float32))
    with pytest.raises(SpeechError, match="at least one word"):
        aligner.align((), np.zeros((5, model.num_pdfs), np.float32))


def test_the_second_beam_saves_an_utterance() -> None:
    """A silence that sounds like nothing else hides the way that the transcript must take."""
    scores = np.full((12, 40), -100.0, dtype=np.float32)
    narrow, model = standard_aligner(silence_probability=0.5, beam=1.0, retry_beam=0.0)
    silence = [pdf for phone, _, pdf in model.tuples if phone == 1]
    scores[:11, silence] = 0.0
    scores = np.ascontiguousarray(scores[:, : model.num_pdfs])
    with pytest.raises(AlignmentError):
        narrow.align(("a",), scores)
    wide, _ = standard_aligner(silence_probability=0.5, beam=1.0, retry_beam=100.0)
    assert len(wide.align(("a",), scores)) == 12


def test_even_paths_share_the_frames_equally() -> None:
    topology = Topology.standard(PHONES)
    tree = monophone_tree(PHONES, topology)
    model = TransitionModel(topology, PHONES, tree.tuples())
    compiler = GraphCompiler(LEXICON, PHONES, tree, model)
    tids = compiler.even_path(("ab", "c"), 57)
    starts = model.phone_starts(tids)
    assert [PHONES.symbols[p] for p in model.phone[tids[starts]]] == [
        "SIL", "A_B", "B_E", "C_S", "SIL",
    ]  # fmt: skip
    visits = np.flatnonzero(~model.is_self_loop[tids])
    assert set(np.diff(np.append(visits, 57))) == {3}  # 19 states in 57 frames
    with pytest.raises(SpeechError, match="at least 19 frames, found 18"):
        compiler.even_path(("ab", "c"), 18)


@pytest.mark.parametrize(
    "options",
    [{"beam": 0.0}, {"acoustic_scale": -1.0}, {"silence_probability": 1.5}, {"retry_beam": -1.0}],
)
def test_impossible_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        AlignOptions(**options)
