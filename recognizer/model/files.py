"""The files of a model directory: their names, which there must be, sizes and hashes.

``model.toml``               `ModelConfig`: options, record, size and hash of every other file
``acoustic.safetensors``     the network's weights and log priors
``tree.json``                the phonetic decision tree
``phones.txt``               phone table
``transitions.json``         topology and transition probabilities
``lexicon.txt``              pronunciations, Kaldi's lexiconp form
``characters.txt``           of a CTC model, instead of tree, phones, transitions and lexicon, and
                             of all optional parts; its graphs are ``tl.graph``, ``tlg.graph``
``hcl.graph``                decoding graph without a language model, or
``hclg.graph``               the static one, with the first pass's language model in it
``first_pass.ngram``         the first pass's LM, which rescoring takes out again
``rescoring.ngram``          the large LM, which rescoring puts in, or
``rescoring.arpa.gz``        the same as a gzipped ARPA file: slower to start with
``pronunciation.ngram``      pronounces words that the lexicon lacks; may be missing
``neural.safetensors``       neural language model of the third pass; may be missing
``phones.acceptor``          phone language model of lattice-free MMI, for further training; may be
                             missing
``aligner.safetensors``      network of the acoustic model that aligns, if ``model.toml`` has one,
``aligner_tree.json``        its tree,
``aligner_transitions.json`` its topology and transition probabilities, over the same phones

The kind of the acoustic model says which files describe its outputs: tree, phones, transitions and
lexicon are those of a hybrid, characters those of a network that was trained with CTC. Nothing is
pickled; graphs and language models are mapped into memory, not read. ``model.toml`` is written
last, so a directory that has one is complete.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from recognizer.am.nnet.acoustic_model import KINDS, CtcModel, HybridModel
from recognizer.data.errors import SpeechError
from recognizer.data.io.options import from_table, read_toml
from recognizer.model.config import FORMAT_VERSION, FileRecord, FirstPassOptions, ModelConfig

CONFIG = "model.toml"
ACOUSTIC = "acoustic.safetensors"
TREE = "tree.json"
PHONES = "phones.txt"
TRANSITIONS = "transitions.json"
LEXICON = "lexicon.txt"
CHARACTERS = "characters.txt"
HCL = "hcl.graph"
HCLG = "hclg.graph"
TL = "tl.graph"
TLG = "tlg.graph"
FIRST_PASS = "first_pass.ngram"
RESCORING = "rescoring.ngram"
RESCORING_ARPA = "rescoring.arpa.gz"
PRONUNCIATION = "pronunciation.ngram"
PHONE_MODEL = "phones.acceptor"
NEURAL = "neural.safetensors"
ALIGNER_ACOUSTIC = "aligner.safetensors"
ALIGNER_TREE = "aligner_tree.json"
ALIGNER_TRANSITIONS = "aligner_transitions.json"

# The files of the parts that kinds of acoustic models need (`AcousticModel.parts`).
_OF_PART = {
    "tree": TREE,
    "phones": PHONES,
    "transitions": TRANSITIONS,
    "characters": CHARACTERS,
}

DEFAULT_MODEL = Path(__file__).resolve().parents[1] / "models" / "english"
"""The model that comes with the package."""


def model_path(name: str) -> Path:
    """The directory of a model by its path, or of the one that comes with the package."""
    path = Path(name)
    return DEFAULT_MODEL if name == DEFAULT_MODEL.name and not path.exists() else path


def graph_file(first_pass: FirstPassOptions, kind: str = HybridModel.kind) -> str:
    """Name of the file of the graph that a kind of search needs, of a kind of acoustic model."""
    on_the_fly, static = (TL, TLG) if kind == CtcModel.kind else (HCL, HCLG)
    return static if first_pass.search == "static" else on_the_fly


def required_files(directory: Path, config: ModelConfig) -> tuple[str, ...]:
    """Names of the files that belong to the model, ``model.toml`` aside.

    All must be there; the pronunciation model, the phone language model and the neural language
    model belong to it where they are there or recorded.

    Raises:
        SpeechError: there is no large language model, or there are two.
    """
    rescoring = [name for name in (RESCORING, RESCORING_ARPA) if (directory / name).is_file()]
    if len(rescoring) != 1:
        raise SpeechError(
            f"{directory}: expected one of {RESCORING} and {RESCORING_ARPA}, "
            f"found {'both' if rescoring else 'none'}"
        )
    kind = config.acoustic.kind
    names = [ACOUSTIC, *(_OF_PART[part] for part in KINDS[kind].parts)]
    if kind == HybridModel.kind:
        names.append(LEXICON)
    names += [FIRST_PASS, graph_file(config.first_pass, kind), *rescoring]
    if config.aligner is not None:
        names += [ALIGNER_ACOUSTIC, ALIGNER_TREE, ALIGNER_TRANSITIONS]
    for name in (PRONUNCIATION, PHONE_MODEL, NEURAL) if kind == HybridModel.kind else (NEURAL,):
        if name in config.files or (directory / name).is_file():
            names.append(name)
    return tuple(names)


def read_config(directory: str | Path) -> ModelConfig:
    """Read ``model.toml`` alone.

    Raises:
        SpeechError: it is missing, of another format's version, of a kind of acoustic model that
            this version does not read, or has a wrong field.
    """
    place = Path(directory) / CONFIG
    table = read_toml(place)
    found = table.get("format_version", FORMAT_VERSION)
    if found != FORMAT_VERSION:
        raise SpeechError(
            f"{place}: format_version: expected {FORMAT_VERSION}, found {found}: "
            "the model was made for another version of this program"
        )
    acoustic = table.get("acoustic")
    kind = acoustic.get("kind") if isinstance(acoustic, dict) else None
    # Before everything else: other kinds have other fields and files.
    if isinstance(kind, str) and kind not in KINDS:
        raise SpeechError(
            f"{place}: acoustic: kind: expected {' or '.join(map(repr, KINDS))}, which is what "
            f"this version reads, found {kind!r}"
        )
    return from_table(ModelConfig, table, str(place))


def check_sizes(directory: Path, config: ModelConfig) -> None:
    """Compare the files of a directory with their records, by size alone.

    Raises:
        SpeechError: a file is missing, has no record or another size; names the file.
    """
    place = directory / CONFIG
    expected = required_files(directory, config)
    for name in expected:
        if name not in config.files:
            raise SpeechError(
                f"{place}: files: the key {name!r} is missing "
                "(after a change of files: recognizer model record)"
            )
    for name, record in config.files.items():
        path = directory / name
        if name not in expected:
            kind = config.acoustic.kind
            raise SpeechError(f"{place}: files: unknown key {name!r} in a model of kind {kind!r}")
        if not path.is_file():
            raise SpeechError(f"{path}: expected a file of the model, found none")
        found = path.stat().st_size
        if found != record.size:
            raise SpeechError(f"{path}: size: expected {record.size} bytes, found {found}")


def file_record(path: Path) -> FileRecord:
    """Size and hash of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return FileRecord(path.stat().st_size, digest.hexdigest())
