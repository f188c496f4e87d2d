"""``recognizer train``: an acoustic model from corpora and their alignments, described in TOML."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from am.phones import SILENCE, SPOKEN_NOISE, PhoneTable
from am.topology import Topology
from data.alignment import Alignment
from data.corpus import Utterance, read_corpus
from data.ctm import read_ctm
from data.errors import SpeechError, UsageError
from data.textgrid import read_textgrid
from recognizer.acoustic_stages import NETWORK_FILE, TREE_FILES, AcousticInputs, acoustic_stages
from recognizer.acoustic_training import AcousticOptions, AlignedCorpus
from recognizer.console import console
from recognizer.options import from_table, read_toml, to_table
from recognizer.stages import Stage, run_stages


@dataclass(frozen=True)
class AlignedData:
    """A training set and where its alignments are.

    Attributes:
        data: a Kaldi data directory or a LibriSpeech tree.
        alignments: a directory of TextGrid files named by utterance, or one that holds
            ``words.ctm`` and ``phones.ctm``, as ``recognizer align`` writes them.
        name: of its feature files; the path of ``data`` with dashes by default.
    """

    data: str
    alignments: str
    name: str | None = None

    @property
    def label(self) -> str:
        """The name, or what stands for it."""
        return self.name or "-".join(p for p in Path(self.data).parts if p not in ("/", ".", ".."))


@dataclass(frozen=True)
class TrainRecipe:
    """What `recognizer train` reads from its TOML file; paths are relative to that file.

    Attributes:
        output: directory of the acoustic model.
        sets: training sets.
        work: directory of intermediate results; ``output`` + "/work" by default.
        acoustic: tree, features, network and training.
        jobs: processes for the features.
    """

    output: str
    sets: tuple[AlignedData, ...]
    work: str | None = None
    acoustic: AcousticOptions = field(default_factory=AcousticOptions)
    jobs: int = 1

    def __post_init__(self) -> None:
        if not self.sets:
            raise UsageError("expected at least one training set [[sets]], found none")
        labels = [one.label for one in self.sets]
        if len(set(labels)) < len(labels):
            raise UsageError(f"expected sets of distinct names, found {', '.join(labels)}")


def train_from_file(path: str | Path, *, first: str | None = None, last: str | None = None) -> Path:
    """Run the stages of a training file; returns the acoustic model's directory.

    Raises:
        SpeechError: a file of another form, unusable data, or failed work.
    """
    path = Path(path)
    recipe = from_table(TrainRecipe, read_toml(path), str(path))
    base = path.parent
    output = base / recipe.output
    work = base / recipe.work if recipe.work is not None else output / "work"
    stages = acoustic_stages(
        recipe.acoustic,
        lambda: _load(recipe, base),
        work,
        inputs=to_table(recipe)["sets"],
        check=lambda: _check(recipe, base),
        jobs=recipe.jobs,
    )

    def collect(directory: Path) -> None:
        for name in TREE_FILES:
            shutil.copyfile(work / "tree" / name, output / name)
        shutil.copyfile(work / "network" / NETWORK_FILE, output / NETWORK_FILE)
        console.print(f"acoustic model: {output}")

    stages.append(
        Stage(
            "model", {"output": str(output)}, ("tree", "network"), collect, "collecting the model"
        )
    )
    run_stages(stages, work, first=first, last=last)
    return output


def _check(recipe: TrainRecipe, base: Path) -> None:
    for one in recipe.sets:
        read_corpus(base / one.data)
        if not (base / one.alignments).is_dir():
            raise SpeechError(f"{base / one.alignments}: expected a directory of alignments")


def _load(recipe: TrainRecipe, base: Path) -> AcousticInputs:
    sets: list[tuple[AlignedData, list[Utterance], dict[str, Alignment]]] = []
    labels: set[str] = set()
    for one in recipe.sets:
        utterances = list(read_corpus(base / one.data))
        alignments = read_alignments(base / one.alignments)
        found = sum(utterance.id in alignments for utterance in utterances)
        if not found:
            raise SpeechError(
                f"{base / one.alignments}: expected alignments of utterances of "
                f"{base / one.data}, found none"
            )
        if found < len(utterances):
            console.print(
                f"{one.label}: {len(utterances) - found} of {len(utterances)} utterances have no "
                f"alignment in {base / one.alignments} and are left out"
            )
        for utterance in utterances:
            if utterance.id in alignments:
                labels.update(segment.label for segment in alignments[utterance.id].phones)
        sets.append((one, utterances, alignments))
    phones = PhoneTable.from_base(labels - {SILENCE, SPOKEN_NOISE})
    topology = Topology.standard(phones)
    return AcousticInputs(
        phones,
        topology,
        tuple(
            AlignedCorpus.from_alignments(
                one.label, utterances, alignments, phones, topology, recipe.acoustic.features
            )
            for one, utterances, alignments in sets
        ),
    )


def read_alignments(directory: Path) -> dict[str, Alignment]:
    """Alignments of a directory by utterance: TextGrid files, or words.ctm with phones.ctm.

    Raises:
        SpeechError: neither is there, or a file is damaged.
    """
    words, phones = directory / "words.ctm", directory / "phones.ctm"
    if words.exists() and phones.exists():
        return read_ctm(words, phones)
    grids = sorted(directory.rglob("*.TextGrid"))
    if not grids:
        raise SpeechError(
            f"{directory}: expected *.TextGrid files, or words.ctm and phones.ctm, found neither"
        )
    return {alignment.utterance: alignment for alignment in map(read_textgrid, grids)}
