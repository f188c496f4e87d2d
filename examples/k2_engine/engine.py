"""The first pass by k2, as an engine in place of `recognizer.decoding.search.search`.

k2 searches with `intersect_dense_pruned`, whose graphs have no epsilon arcs
(`epsilon_free.py`) and labels of pdf-id + 1, so that transition-ids and words
are found again by the arc's index, which k2 carries along. Costs in the lattices are the graph's
own and the scores' own, not sums that k2 rounded.

k2 is no dependency, since the wheels of package indices bring a torch of their choice: it is
imported when a `K2Decoder` is made, and must have been built for the installed torch
(docs/inside/k2.md).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from recognizer.data.errors import SpeechError
from recognizer.decoding.graph.fst_arrays import FstArrays
from recognizer.decoding.graph.graph import DecodingGraph
from recognizer.decoding.lattice.lattice import BestPath, Lattice
from recognizer.decoding.lattice.paths import best_path
from recognizer.decoding.search.decoding import check_scores
from recognizer.decoding.search.search import SearchOptions

from .epsilon_free import EpsilonFreeGraph, remove_epsilons
from .lattice import FoundArcs, make_lattice

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]

_INSTALLATION = "https://k2-fsa.github.io/k2/installation/"
_NO_LIMIT = 1e10  # what k2 itself takes for a beam that prunes nothing
_MOST_ACTIVE = 1 << 28  # in all utterances of a batch; k2 multiplies it by 4
_FINAL = -1  # label of arcs to the final state


def load_k2() -> Any:
    """The module k2.

    Raises:
        SpeechError: k2 is not installed, or does not match the installed torch.
    """
    try:
        torch = "torch " + importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = "a torch (there is none)"
    expected = f"k2: expected a k2 built for {torch} (see {_INSTALLATION})"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # k2's and torch's own
            k2 = importlib.import_module("k2")
    except ModuleNotFoundError as error:
        raise SpeechError(f"{expected}, found no module {error.name}") from error
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        # Versions that differ, or symbols that a library lacks; some messages have several lines.
        raise SpeechError(f"{expected}, found: {' '.join(str(error).split())}") from error
    if not hasattr(k2, "intersect_dense_pruned"):
        raise SpeechError(f"{expected}, found something else by this name: {k2!r}")
    return k2


class K2Decoder:
    """Searches one graph with k2; see `search.Decoder`, whose lattices these are like.

    `SearchOptions.beam` is k2's search beam, `lattice_beam` its output beam. k2 takes `max_active`
    and `min_active` as advice: it makes the beam narrower or wider by and by in later frames, so
    that paths which one engine prunes may survive in the other. `prune_interval` and `beam_delta`
    have no counterpart.

    Args:
        graph: the decoding graph.
        pdfs: int32 ``[num_transition_ids + 1]``, pdf-id of each transition-id
            (`TransitionModel.pdf`); index 0 is unused.
        options: beams and scales.
        device: torch's name of the device to search on.

    Raises:
        SpeechError: there is no k2 that works (`load_k2`), the graph's labels do not fit the
            transition-ids, or its epsilon arcs form a cycle.
    """

    def __init__(
        self,
        graph: DecodingGraph,
        pdfs: npt.NDArray[np.int32],
        options: SearchOptions | None = None,
        *,
        device: str = "cpu",
    ) -> None:
        self._k2 = load_k2()
        self.graph = graph
        self.options = options or SearchOptions()
        self._pdfs = _checked_pdfs(np.asarray(pdfs), graph)
        self._device = device
        self._complete = self._converted(graph.to_arrays())

    @property
    def num_pdfs(self) -> int:
        """Width of the score matrices."""
        return int(self._pdfs[1:].max()) + 1

    def decode(self, log_likelihoods: FloatArray) -> Lattice:
        """Searches a whole utterance.

        Args:
            log_likelihoods: float32 ``[T, num_pdfs]``, natural logs (log posteriors less log
                priors), finite.

        Returns:
            The state-level lattice. If no final state was reached (`Lattice.reached_final`), it
            ends in all states reached, at no cost.

        Raises:
            SpeechError: scores of another shape or type or not finite, no frame at all, no path
                through the graph is that long, or k2 fails.
        """
        return self.decode_batch([log_likelihoods])[0]

    def decode_batch(self, log_likelihoods: Sequence[FloatArray]) -> list[Lattice]:
        """Searches several utterances at the same time; see `decode`.

        On a CPU, k2 goes through them one after the other. Scores are padded to the longest
        utterance, so that utterances of about one length should go together.
        """
        for scores in log_likelihoods:
            self._check_scores(scores)
        lattices: dict[int, Lattice] = {}
        left = list(range(len(log_likelihoods)))
        # k2's own partial paths would end with the cost of some arc that leaves the last state.
        for reached_final in (True, False):
            if not left:
                break
            graph, fsa = self._complete if reached_final else self._partial
            found = self._search(graph, fsa, [log_likelihoods[i] for i in left])
            for i, arcs in zip(left, found, strict=True):
                if arcs is not None:
                    scores = log_likelihoods[i]
                    lattices[i] = self._lattice(graph, arcs, scores, reached_final=reached_final)
            left = [i for i in left if i not in lattices]
        if left:
            raise SpeechError(
                "search: no path through the graph is as long as the "
                f"{len(log_likelihoods[left[0]])} frames"
            )
        return [lattices[i] for i in range(len(log_likelihoods))]

    def decode_best(self, log_likelihoods: FloatArray) -> BestPath:
        """The best path of `decode`."""
        return best_path(self.decode(log_likelihoods), self.options.acoustic_scale)

    def start(self, *, best_only: bool = False) -> NoReturn:
        """Refuses utterances that come piece by piece.

        Raises:
            SpeechError: always.
        """
        raise SpeechError(
            "k2: expected whole utterances, found a stream; the native engine decodes streams"
        )

    @cached_property
    def _partial(self) -> tuple[EpsilonFreeGraph, Any]:
        """The graph with all states final at no cost, made when first needed."""
        fst = self.graph.to_arrays()
        return self._converted(replace(fst, final_costs=np.zeros_like(fst.final_costs)))

    def _converted(self, fst: FstArrays) -> tuple[EpsilonFreeGraph, Any]:
        """The graph without epsilon arcs, also as a vector of one k2 FSA.

        There final arcs have the indices after the others, in the order of their states. Without
        any, which k2 refuses, there is no FSA.
        """
        import torch

        graph = remove_epsilons(fst, len(self.graph.words))
        final = np.flatnonzero(np.isfinite(graph.final_costs)).astype(np.int32)
        if not len(final):
            return graph, None
        if graph.num_arcs + len(final) >= 1 << 31:
            raise SpeechError(
                f"k2: expected a graph of fewer than 2^31 arcs, "
                f"found {graph.num_arcs + len(final)} without epsilon arcs"
            )
        sources = np.concatenate((graph.sources, final))
        # k2 reads column label + 1 of its scores. Its column 0 is for arcs to the final state; the
        # first one that is ours belongs to label 0, which as elsewhere no emitting arc has.
        labels = self._pdfs[graph.tids] + 1
        labels = np.concatenate((labels, np.full(len(final), _FINAL, np.int32)))
        targets = np.concatenate((graph.next_states, np.full_like(final, graph.num_states)))
        log_probs = -np.concatenate((graph.costs, graph.final_costs[final]))
        order = np.lexsort((labels, sources)).astype(np.int32)
        columns = (sources, targets, labels, log_probs.view(np.int32))
        fsa = self._k2.Fsa(torch.from_numpy(np.stack([column[order] for column in columns], 1)))
        fsa.arc_index = torch.from_numpy(order)
        return graph, self._k2.create_fsa_vec([fsa]).to(self._device)

    def _search(
        self, graph: EpsilonFreeGraph, fsa: Any, log_likelihoods: Sequence[FloatArray]
    ) -> list[FoundArcs | None]:
        """The arcs that k2 found for each utterance; None if no final state was reached."""
        import torch

        if fsa is None:
            return [None] * len(log_likelihoods)
        lengths = [len(scores) for scores in log_likelihoods]
        padded = np.zeros((len(lengths), max(lengths), self.num_pdfs + 1), dtype=np.float32)
        padded[:, :, 0] = -np.inf
        scale = np.float32(self.options.acoustic_scale)
        for rows, scores in zip(padded, log_likelihoods, strict=True):
            # A frame's offset changes no comparison, and smaller sums are rounded less.
            rows[: len(scores), 1:] = scale * (scores - scores.max(axis=1, keepdims=True))
        segments = torch.tensor([[i, 0, length] for i, length in enumerate(lengths)])
        # k2 reserves memory for max_active states of each utterance, and counts it in 31 bits; more
        # states than there are cannot be active.
        min_active = min(self.options.min_active, graph.num_states)
        most = min(self.options.max_active, graph.num_states, _MOST_ACTIVE // len(lengths))
        max_active = max(most, min_active + 1)
        try:
            with torch.no_grad():
                found = self._k2.intersect_dense_pruned(
                    fsa,
                    self._k2.DenseFsaVec(
                        torch.from_numpy(padded).to(self._device), segments.to(torch.int32)
                    ),
                    search_beam=min(self.options.beam, _NO_LIMIT),
                    output_beam=min(self.options.lattice_beam, _NO_LIMIT),
                    min_active_states=min_active,
                    max_active_states=max_active,
                    frame_idx_name="frame_index",
                )
        except RuntimeError as error:
            raise SpeechError(f"k2: {(str(error).strip() or 'failed').splitlines()[0]}") from error
        return [_found_arcs(found[i]) for i in range(len(lengths))]

    def _lattice(
        self, graph: EpsilonFreeGraph, arcs: FoundArcs, scores: FloatArray, *, reached_final: bool
    ) -> Lattice:
        return make_lattice(
            graph,
            arcs,
            self._pdfs,
            scores,
            acoustic_scale=self.options.acoustic_scale,
            lattice_beam=self.options.lattice_beam,
            reached_final=reached_final,
            symbols=self.graph.words,
        )

    def _check_scores(self, scores: FloatArray) -> None:
        check_scores(scores, self.num_pdfs)
        if not len(scores):
            raise SpeechError("search: expected at least one frame of scores, found none")
        finite = np.isfinite(scores)
        if not finite.all():
            frame, pdf = np.argwhere(~finite)[0].tolist()
            raise SpeechError(
                f"scores: frame {frame}, pdf {pdf}: expected a finite number, "
                f"found {scores[frame, pdf]}"
            )


def _checked_pdfs(pdfs: npt.NDArray[Any], graph: DecodingGraph) -> IntArray:
    if pdfs.ndim != 1 or pdfs.dtype.kind not in "iu" or len(pdfs) < 2:
        raise SpeechError(
            f"pdfs: expected integers [num_transition_ids + 1], "
            f"found {pdfs.dtype} {list(pdfs.shape)}"
        )
    if int(pdfs[1:].min()) < 0:
        raise SpeechError(f"pdfs: expected pdf-ids >= 0, found {int(pdfs[1:].min())}")
    if graph.num_arcs and int(graph.ilabels.max()) >= len(pdfs):
        raise SpeechError(
            f"graph: expected transition-ids of 1 .. {len(pdfs) - 1}, "
            f"found {int(graph.ilabels.max())}"
        )
    return pdfs.astype(np.int32)


def _found_arcs(fsa: Any) -> FoundArcs | None:
    """The arrays of one FSA that k2 found."""
    arcs = fsa.arcs.values().cpu().numpy()
    if not len(arcs):
        return None
    return FoundArcs(
        sources=arcs[:, 0],
        targets=arcs[:, 1],
        frames=fsa.frame_index.cpu().numpy(),
        indices=fsa.arc_index.cpu().numpy(),
    )
