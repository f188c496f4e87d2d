"""The stages from transcribed corpora to a network that spells, trained with CTC."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import console
from recognizer.data.text.characters import CharacterSet
from recognizer.data.text.rules import TextRules
from recognizer.model.files import CHARACTERS
from recognizer.pipelines.acoustic.network_stages import (
    NETWORK_FILE,
    feature_tables,
    features_stage,
    network_stage,
    tell_result,
)
from recognizer.pipelines.acoustic.network_training import train_network, training_utterances
from recognizer.pipelines.acoustic.options import NO_PRIORS, AcousticOptions
from recognizer.pipelines.acoustic.training_modes import require_torch
from recognizer.pipelines.acoustic.versions import Version
from recognizer.stages import Stage

if TYPE_CHECKING:
    from recognizer.am.training.criteria.targets import Target, TokenSequence

CHARACTERS_STAGE = "characters"


@dataclass(frozen=True)
class TranscribedCorpus:
    """A training set with nothing but transcripts.

    Attributes:
        name: of its feature files.
        utterances: with transcripts.
        rules: how their language is written.
    """

    name: str
    utterances: tuple[Utterance, ...]
    rules: TextRules


Load = Callable[[], Sequence[TranscribedCorpus]]


def characters_stage(
    load: Load,
    inputs: Mapping[str, Any],
    after: tuple[str, ...],
    check: Callable[[], None],
    *,
    min_count: int,
    space: bool,
) -> Stage:
    """Stage ``characters``: what the network's outputs are, in the file ``characters.txt``.

    Args:
        load: reads the training sets.
        inputs: plain values (JSON) that stand for them and for the options.
        after: stages that the sets come from.
        check: raises if they cannot be there.
        min_count: characters that occur less often are left out.
        space: whether the space between words is one.
    """

    def run(directory: Path) -> None:
        sets = load()
        utterances = [utterance for one in sets for utterance in one.utterances]
        if not utterances:
            raise SpeechError("expected transcripts to spell, found none")
        transcripts = (" ".join(utterance.words) for utterance in utterances)
        found = CharacterSet.of_text(transcripts, sets[0].rules, least=min_count)
        if not space:
            found = CharacterSet(tuple(one for one in found.characters if one != " "))
        found.write(directory / CHARACTERS)
        missing = sum(bool(found.missing(" ".join(one.words))) for one in utterances)
        console.print(
            f"{len(found.characters)} characters; {missing} of {len(utterances)} transcripts have "
            "others"
        )

    return Stage(CHARACTERS_STAGE, inputs, after, run, "collecting the characters", check)


def ctc_stages(
    options: AcousticOptions,
    load: Load,
    work: Path,
    *,
    inputs: Any,
    after: tuple[str, ...],
    check: Callable[[], None],
    jobs: int,
    root: Path,
) -> list[Stage]:
    """Stages ``features`` and ``network``, which follow `characters_stage`.

    Arguments and results are those of `recognizer.pipelines.acoustic.stages.acoustic_stages`.
    """
    load = cache(load)

    def network(directory: Path) -> None:
        characters = CharacterSet.read(work / CHARACTERS_STAGE / CHARACTERS)
        train_spelling(load(), characters, options, work, directory)

    return [
        features_stage(options, load, inputs, after, check, jobs, root),
        network_stage("network", options, (CHARACTERS_STAGE, "features"), network),
    ]


def train_spelling(
    corpora: Sequence[TranscribedCorpus],
    characters: CharacterSet,
    options: AcousticOptions,
    work: Path,
    directory: Path,
) -> None:
    """Train a network with CTC and write it to `NETWORK_FILE`: the best on held-out utterances.

    Args:
        corpora: training sets, whose features lie in ``work`` / "features" if they are kept.
        characters: the outputs beside the blank.
        options: shape and training.
        work: parent of the stages' directories.
        directory: of this training.

    Raises:
        SpeechError: the training was interrupted, or its data cannot be used.
        DivergedError: its loss is not finite any more.
    """
    require_torch()
    from recognizer.am.training.criteria.ctc import Ctc

    features = feature_tables(corpora, options, work)
    spelled, dropped = _spelled(corpora, characters)

    def target(corpus: str, utterance: str, version: Version, frames: int) -> Target | None:
        return spelled[corpus].get(utterance)

    result = train_network(
        training_utterances(corpora, features, target),
        characters.num_outputs,
        options,
        directory,
        criterion=Ctc(),
        metadata={"corpora": [corpus.name for corpus in corpora], "priors": NO_PRIORS},
    )
    assert result.best is not None  # as it is finished
    for line in dropped:
        console.print(f"dropped {line}", markup=False)
    accuracy = result.best["token_accuracy"]
    tell_result(result, f"held-out character error rate {1 - accuracy:.2%}, greedy")
    shutil.copyfile(result.best_path, directory / NETWORK_FILE)


def _spelled(
    corpora: Sequence[TranscribedCorpus], characters: CharacterSet
) -> tuple[dict[str, dict[str, TokenSequence]], list[str]]:
    """Targets by set and utterance, and one line for each utterance that has none."""
    from recognizer.am.training.data.transcripts import spell_transcripts

    targets: dict[str, dict[str, TokenSequence]] = {}
    dropped: list[str] = []
    for corpus in corpora:
        transcripts = {one.id: " ".join(one.words) for one in corpus.utterances}
        found = spell_transcripts(transcripts, characters, corpus.rules)
        targets[corpus.name] = found.targets
        dropped += [f"{corpus.name}/{line}" for line in found.dropped]
    return targets, dropped
