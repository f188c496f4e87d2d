"""Flat start: from audio, transcripts and a lexicon to phone alignments, from nothing.

The proven order of Kaldi's recipes (``train_mono.sh``, ``train_deltas.sh``): monophone Gaussians
from states of equal length on the shortest utterances; then triphones, whose tree is grown from
the monophones' alignments; then triphones again, from the better alignments. Mixtures grow from
pass to pass, and frames count for the one state of their Viterbi path.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recognizer.alignment.aligned_set import AlignedSet
from recognizer.alignment.flat_start_options import FlatStartOptions, PassOptions
from recognizer.alignment.gmm_aligner import FlatStartModel, align_all
from recognizer.alignment.gmm_features import SpeechData
from recognizer.am.hmm.gmm import DiagonalGmmSet, GmmStats
from recognizer.am.hmm.phones import SILENCE, SPOKEN_NOISE, PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.tree.contexts import convert_alignment
from recognizer.am.tree.decision_tree import monophone_tree
from recognizer.am.tree.growing import TreeOptions, build_tree
from recognizer.am.tree.statistics import TreeStats
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import replace_text
from recognizer.data.io.options import to_toml
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.text.transcripts import is_tag
from recognizer.decoding.alignment.utterance_graph import GraphCompiler

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int32]
Report = Callable[[str], None]
_RECORD = "stage.json"


def flat_start(
    utterances: Sequence[Utterance],
    lexicon: Lexicon,
    options: FlatStartOptions | None = None,
    work_dir: str | os.PathLike[str] | None = None,
    *,
    jobs: int | None = None,
    report: Report = lambda line: None,
) -> FlatStartModel:
    """Train an aligner from nothing but audio, transcripts and a lexicon.

    Args:
        utterances: the training set, transcribed by one rule set.
        lexicon: pronunciations; unknown transcript words become spoken noise and are reported.
        options: sizes and numbers of passes.
        work_dir: where each finished stage is kept, so that an interrupted run goes on from it.
        jobs: threads; one a core by default. Set OMP_NUM_THREADS=1 beside it.
        report: called with each line of progress.

    Raises:
        SpeechError: no utterance can be read, or none can be aligned.
    """
    options = options or FlatStartOptions()
    data = SpeechData.load(utterances, options.features, jobs)
    _report_data(data, lexicon, options, report)
    phones = PhoneTable.from_base(set(lexicon.phones) - {SILENCE, SPOKEN_NOISE})
    stages = [("mono", options.mono)]
    stages += [(f"tri{i}", passes) for i, passes in enumerate(options.triphone, start=1)]
    text_rules = utterances[0].text_rules
    digest = _digest(data, lexicon, options, text_rules) if work_dir is not None else ""
    model: FlatStartModel | None = None
    for name, passes in stages:
        directory = Path(work_dir) / name if work_dir is not None else None
        if directory is not None and _is_done(directory, digest):
            report(f"{name}: done before")
            model = FlatStartModel.read(directory)
            continue
        trainer = _Trainer(name, passes, options, text_rules, jobs, report)
        if model is None:
            model = trainer.monophones(lexicon, phones, data)
        else:
            model = trainer.triphones(model, data)
        if directory is not None:
            model.write(directory)
            with replace_text(directory / _RECORD) as stream:
                json.dump({"digest": digest}, stream)
    assert model is not None
    return model


def _digest(data: SpeechData, lexicon: Lexicon, options: FlatStartOptions, text_rules: str) -> str:
    """Names everything that a stage's result depends on."""
    digest = hashlib.sha256(f"{text_rules}\n{to_toml(options)}".encode())
    for key, words, features in zip(data.ids, data.words, data.features, strict=True):
        digest.update(f"{key} {len(features)} {' '.join(words)}\n".encode())
    for entry in lexicon:
        digest.update(f"{entry.word} {entry.probability} {' '.join(entry.phones)}\n".encode())
    return digest.hexdigest()


def _is_done(directory: Path, digest: str) -> bool:
    try:
        record = json.loads((directory / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False  # never begun, or broken off while it was written
    return bool(record == {"digest": digest})


class _Trainer:
    """Trains one stage's model."""

    def __init__(
        self,
        name: str,
        passes: PassOptions,
        options: FlatStartOptions,
        text_rules: str,
        jobs: int | None,
        report: Report,
    ) -> None:
        self._name = name
        self._passes = passes
        self._options = options
        self._text_rules = text_rules
        self._jobs = jobs
        self._report = report

    def monophones(self, lexicon: Lexicon, phones: PhoneTable, data: SpeechData) -> FlatStartModel:
        """A model without context, from states of equal length."""
        topology = Topology.standard(phones)
        tree = monophone_tree(phones, topology)
        transitions = TransitionModel(topology, phones, tree.tuples())
        chosen = data.shortest(self._passes.utterances)
        compiler = GraphCompiler(
            lexicon, phones, tree, transitions, self._options.align.graph.silence_probability
        )
        paths: dict[str, IntArray] = {}
        for key, words, features in zip(chosen.ids, chosen.words, chosen.features, strict=True):
            if words:
                try:
                    paths[key] = compiler.even_path(words, len(features))
                except SpeechError:
                    continue  # too short for its words; the first realignment reports it
        gmm = _same_gaussian(tree.num_pdfs, chosen.features)
        model = FlatStartModel(
            lexicon, phones, tree, transitions, gmm, self._options, self._text_rules
        )
        return self._train(model, chosen, paths)

    def triphones(self, previous: FlatStartModel, data: SpeechData) -> FlatStartModel:
        """A context-dependent model from the alignments of the previous model."""
        chosen = data.shortest(self._passes.utterances)
        aligner = previous.aligner()
        aligned = align_all(previous.gmm, aligner, chosen, self._jobs)
        self._report_alignment(0, aligned)
        stats = TreeStats(len(previous.phones), previous.gmm.dim)
        for key, features in zip(chosen.ids, chosen.features, strict=True):
            if key in aligned.paths:
                stats.accumulate(features, aligned.paths[key], previous.transitions)
        topology = previous.transitions.topology
        tree = build_tree(
            stats, previous.phones, topology, TreeOptions(num_leaves=self._passes.leaves)
        )
        self._report(f"{self._name}: a tree of {tree.num_pdfs} leaves")
        transitions = TransitionModel(topology, previous.phones, tree.tuples())
        paths = {
            key: convert_alignment(tids, previous.transitions, transitions, tree)
            for key, tids in aligned.paths.items()
        }
        model = FlatStartModel(
            previous.lexicon,
            previous.phones,
            tree,
            transitions,
            _same_gaussian(tree.num_pdfs, chosen.features),
            self._options,
            previous.text_rules,
        )
        return self._train(model, chosen, paths)

    def _train(
        self, model: FlatStartModel, data: SpeechData, paths: Mapping[str, IntArray]
    ) -> FlatStartModel:
        passes, gmm, transitions = self._passes, model.gmm, model.transitions
        aligner = model.aligner()
        graphs = [aligner.graph(words) if words else None for words in data.words]
        frames, pdfs, counts = _gather(data, paths, transitions)
        for number in range(1, passes.passes + 1):
            if number > 1 and number - 1 in passes.realign:
                aligner.set_transitions(transitions)
                aligned = align_all(gmm, aligner, data, self._jobs, graphs)
                self._report_alignment(number - 1, aligned)
                frames, pdfs, counts = _gather(data, aligned.paths, transitions)
            transitions = transitions.update(counts)
            stats = gmm.accumulate(frames, pdfs)
            gmm = gmm.updated(stats, self._options.gmm)
            self._report_pass(number, gmm, stats)
            if number <= passes.growing:
                start = min(model.gmm.num_gaussians, passes.gaussians)
                target = start + (passes.gaussians - start) * number // passes.growing
                occupancies = np.bincount(pdfs, minlength=gmm.num_pdfs)
                if target > gmm.num_gaussians:
                    gmm = gmm.split(occupancies, target, self._options.gmm, seed=number)
        return replace(model, transitions=transitions, gmm=gmm)

    def _report_pass(self, number: int, gmm: DiagonalGmmSet, stats: GmmStats) -> None:
        self._report(
            f"{self._name} pass {number}/{self._passes.passes}: {gmm.num_gaussians} Gaussians, "
            f"log-likelihood {stats.mean_log_prob:.3f} a frame"
        )

    def _report_alignment(self, number: int, aligned: AlignedSet) -> None:
        self._report(
            f"{self._name} aligned after pass {number}: {len(aligned.paths)} utterances, "
            f"{len(aligned.failed)} failed, score {aligned.log_prob:.4f} a frame"
        )
        if not aligned.paths:
            raise SpeechError(f"{self._name}: no utterance could be aligned with its transcript")


def _gather(
    data: SpeechData, paths: Mapping[str, IntArray], transitions: TransitionModel
) -> tuple[FloatArray, IntArray, npt.NDArray[np.float64]]:
    """All aligned frames sorted by pdf, their pdfs, and the counts of the transition-ids."""
    chosen = [i for i, key in enumerate(data.ids) if key in paths]
    if not chosen:
        raise SpeechError("flat start: no utterance has as many frames as its words have states")
    tids = np.concatenate([paths[data.ids[i]] for i in chosen])
    pdfs = transitions.pdf[tids]
    order = np.argsort(pdfs, kind="stable")
    frames = np.concatenate([data.features[i] for i in chosen])[order]
    return frames, pdfs[order], transitions.counts(tids)


def _same_gaussian(num_pdfs: int, features: Sequence[FloatArray]) -> DiagonalGmmSet:
    """The Gaussian of all frames for every pdf; the first pass parts them."""
    total = sum(map(len, features))
    mean = sum(x.sum(axis=0, dtype=np.float64) for x in features) / total
    power = sum(np.square(x, dtype=np.float64).sum(axis=0) for x in features) / total
    variance = np.maximum(power - mean**2, 1e-10)
    return DiagonalGmmSet.single(np.tile(mean, (num_pdfs, 1)), np.tile(variance, (num_pdfs, 1)))


def _report_data(
    data: SpeechData, lexicon: Lexicon, options: FlatStartOptions, report: Report
) -> None:
    for key, reason in data.failed.items():
        report(f"{key}: not used: {reason}")
    if not data.ids:
        raise SpeechError("flat start: expected at least one utterance with audio, found none")
    spoken = [word for words in data.words for word in words if not is_tag(word)]
    report(
        f"{len(data.ids)} utterances, "
        f"{data.num_frames * options.features.frame_shift / 3600:.2f} h, "
        f"{len(spoken)} words"
    )
    if not spoken:
        raise SpeechError("flat start: expected transcripts with words, found none in any")
    outside = [word for word in spoken if word not in lexicon]
    unknown, count = sorted(set(outside)), len(outside)
    if count == len(spoken):
        raise SpeechError("flat start: expected transcripts of the lexicon's words, found none")
    report(
        f"{count} words ({len(unknown)} different) are outside the lexicon and become spoken "
        f"noise: {' '.join(unknown[:10])}{' ...' if len(unknown) > 10 else ''}"
    )
