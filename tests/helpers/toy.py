"""A toy language that is whistled: every phone is a tone, so that exact transcripts are known.

The network is an LSTMP whose gates stand open (input, output) and shut (forget), which makes it a
function of the current frame; its output weights are one template for each phone, "loud in this
phone's mel bin". Everything else is the real thing: tree, transitions, graph, two language
models, bundle. The search must get every word right, with its times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

from recognizer.am.features.fbank import FbankOptions
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.nnet.network_file import Network, write_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.tree.decision_tree import Tree, monophone_tree
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.decoding.graph.options import GraphOptions
from recognizer.decoding.rescoring.rescore import RescoringOptions
from recognizer.decoding.search.search import SearchOptions
from recognizer.lm.arpa.files import read_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.model.bundle import write_config
from recognizer.model.config import (
    AcousticConfig,
    FirstPassOptions,
    ModelConfig,
)
from recognizer.model.files import (
    ACOUSTIC,
    FIRST_PASS,
    LEXICON,
    PHONES,
    RESCORING,
    TRANSITIONS,
    TREE,
    graph_file,
)
from recognizer.model.first_pass_graph import first_pass_graph

ON_THE_FLY = FirstPassOptions()
WORDS = {
    "go": "G OW",
    "left": "L EH T",
    "right": "R AY T",
    "write": "R AY T",
    "stop": "S T AA P",
    "now": "N AW",
}
BASE_PHONES = sorted({phone for text in WORDS.values() for phone in text.split()})
BINS = {phone: 6 + 2 * index for index, phone in enumerate(BASE_PHONES)}
SAID = {  # and what its transcript claims: one insertion, one deletion, two substitutions
    "u1": ("go left", "GO LEFT"),
    "u2": ("stop now", "STOP"),
    "u3": ("left", "LEFT NOW"),
    "u4": ("now write", "NOW, WRITE!"),
    "u5": ("right go", "RIGHT STOP"),
    "u6": ("go stop", "GO NOW"),
}
RATE = 16000
PHONE_SECONDS = 0.1
PAUSE_SECONDS = 0.2

# Both models know all words; only the large one knows that after "now" one writes.
SMALL = """
-1.0\t</s>
-99\t<s>\t-0.3
-9\t<unk>
-0.8\tgo\t-0.3
-0.8\tleft\t-0.3
-0.8\tnow\t-0.3
-0.7\tright\t-0.3
-0.9\tstop\t-0.3
-1.2\twrite\t-0.3
"""
PAIRS = """
-0.3\tgo right{last}
-0.4\tright now{last}
-0.2\tnow </s>
"""
LARGE_PAIRS = """
-0.1\tnow write{last}
"""


def frequency(mel_bin: int) -> float:
    """Centre of a mel bin of the default filter bank in Hz."""
    low, high = (1127.0 * math.log(1 + f / 700.0) for f in (20.0, 8000.0))
    mel = low + (mel_bin + 1) * (high - low) / 41
    return 700.0 * (math.exp(mel / 1127.0) - 1)


def whistle(
    text: str,
    *,
    rate: int = RATE,
    words: Mapping[str, str] = WORDS,
    bins: Mapping[str, int] = BINS,
) -> np.ndarray:
    """Samples ``[N]`` of words, each after a pause; one more pause ends them."""
    pause = np.zeros(int(PAUSE_SECONDS * rate))
    time = np.arange(int(PHONE_SECONDS * rate)) / rate
    parts = [pause]
    for word in text.split():
        for phone in words[word].split():
            parts.append(0.3 * np.sin(2 * np.pi * frequency(bins[phone]) * time))
        parts.append(pause)
    return np.concatenate(parts).astype(np.float32)


def word_starts(text: str, words: Mapping[str, str] = WORDS) -> list[float]:
    """Seconds at which `whistle` begins each word."""
    starts, now = [], PAUSE_SECONDS
    for word in text.split():
        starts.append(now)
        now += PHONE_SECONDS * len(words[word].split()) + PAUSE_SECONDS
    return starts


def arpa(unigrams: str, bigrams: str) -> str:
    """An ARPA file's text."""
    one, two = unigrams.strip().splitlines(), bigrams.strip().splitlines()
    header = f"\\data\\\nngram 1={len(one)}\nngram 2={len(two)}\n"
    lines = "\n".join([header, "\\1-grams:", *one, "", "\\2-grams:", *two, "", "\\end\\", ""])
    return lines.format(last="")


def automaton(text: str, path: Path) -> NgramAutomaton:
    """The automaton of an ARPA file's text, by way of a file."""
    path.write_text(text, encoding="utf-8")
    return NgramAutomaton.from_model(read_arpa(path))


def network(
    phones: PhoneTable,
    tree: Tree,
    transitions: TransitionModel,
    phone_bins: Mapping[str, int] = BINS,
    subsampling: int = 1,
) -> Network:
    """The templates as an LSTMP network."""
    options = NetworkOptions(
        outputs=tree.num_pdfs,
        cells=40,
        projection=40,
        layers=1,
        output_delay=0,
        subsampling=subsampling,
    )
    tensors = {name: np.zeros(shape, np.float32) for name, shape in options.shapes().items()}
    tensors["input.mean"] += 10.0
    tensors["input.inv_std"] += 0.4
    tensors["layers.0.w_x"][80:120] = np.eye(40)
    bias = tensors["layers.0.bias"]
    bias[:40], bias[40:80], bias[120:] = 20.0, -20.0, 20.0
    tensors["layers.0.w_p"][:] = np.eye(40)
    weight = tensors["output.weight"]
    bins = list(phone_bins.values())
    for tid in range(1, transitions.num_transition_ids + 1):
        pdf, base = int(transitions.pdf[tid]), phones.base(int(transitions.phone[tid]))
        weight[pdf, bins] = -4.0
        if base in phone_bins:
            weight[pdf, phone_bins[base]] = 12.0
        elif base == "SPN":
            tensors["output.bias"][pdf] = -100.0
    tensors["log_priors"] = np.full(tree.num_pdfs, -math.log(tree.num_pdfs), np.float32)
    return Network(options, tensors)


def config(first_pass: FirstPassOptions = ON_THE_FLY, subsampling: int = 1) -> ModelConfig:
    """The toy model's options."""
    return ModelConfig(
        name="whistled",
        language="x-toy",
        licence="CC0-1.0",
        acoustic=AcousticConfig(output_delay=0, subsampling=subsampling, silence_weight=1.0),
        features=FbankOptions(),
        first_pass=first_pass,
        search=SearchOptions(acoustic_scale=0.3),
        rescoring=RescoringOptions(lm_scale=1.0, word_insertion_penalty=0.0),
    )


def build(
    directory: Path, first_pass: FirstPassOptions = ON_THE_FLY, *, subsampling: int = 1
) -> Path:
    """Write the toy model's directory, its outputs every so many frames of 10 ms."""
    directory.mkdir(parents=True, exist_ok=True)
    lexicon = Lexicon(Pronunciation(word, tuple(text.split())) for word, text in WORDS.items())
    phones = PhoneTable.from_base(lexicon.phones)
    topology = Topology.standard(phones)
    tree = monophone_tree(phones, topology)
    transitions = TransitionModel(topology, phones, tree.tuples())
    scratch = directory.with_name(directory.name + ".arpa")
    small = automaton(arpa(SMALL, PAIRS), scratch)
    small.save(directory / FIRST_PASS)
    large = automaton(arpa(SMALL, PAIRS + LARGE_PAIRS.strip()), scratch)
    large.compact().save(directory / RESCORING)
    graph = first_pass_graph(lexicon, phones, tree, transitions, small, first_pass, GraphOptions())
    lexicon.write(directory / LEXICON)
    phones.write(directory / PHONES)
    tree.write(directory / TREE)
    transitions.write(directory / TRANSITIONS)
    graph.save(directory / graph_file(first_pass))
    acoustic = network(phones, tree, transitions, subsampling=subsampling)
    write_network(acoustic, directory / ACOUSTIC)
    write_config(directory, config(first_pass, subsampling))
    return directory


def write_set(directory: Path) -> Path:
    """A Kaldi data directory of `SAID`, made anew."""
    directory.mkdir()
    for name, (said, _) in SAID.items():
        soundfile.write(directory / f"{name}.flac", whistle(said), RATE)
    write = {
        "wav.scp": [f"{name} {name}.flac" for name in SAID],
        "text": [f"{name} {claimed}" for name, (_, claimed) in SAID.items()],
        "utt2spk": [f"{name} someone" for name in SAID],
    }
    for file, lines in write.items():
        (directory / file).write_text("".join(f"{line}\n" for line in lines))
    return directory
