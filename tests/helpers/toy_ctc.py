"""The toy language of `toy`, spelled: every letter is a tone, and so is the space between words.

Its network says a letter in every frame in which it sounds, and a blank where nothing does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

import toy
from recognizer.am.nnet.acoustic_model import CtcModel
from recognizer.am.nnet.network_file import Network, write_network
from recognizer.am.nnet.options import NetworkOptions
from recognizer.data.text.characters import CharacterSet
from recognizer.decoding.search.search import SearchOptions
from recognizer.model.bundle import ModelBundle, write_config
from recognizer.model.config import FirstPassOptions, ModelConfig
from recognizer.model.ctc import ctc_config
from recognizer.model.files import ACOUSTIC, CHARACTERS, FIRST_PASS, RESCORING, graph_file
from recognizer.model.first_pass_graph import spelling_graph

SPELLING = CharacterSet(tuple(sorted({" ", *"".join(toy.WORDS)})))
_TONES = [one.replace(" ", "_") for one in SPELLING.characters]
BINS = {tone: 6 + 2 * index for index, tone in enumerate(_TONES)}
SPELLED = {word: " ".join(word) for word in toy.WORDS} | {"_": "_"}


def whistle(text: str) -> npt.NDArray[np.float32]:
    """Samples ``[N]`` of words; a pause before each of them and before the space between two."""
    samples: npt.NDArray[np.float32] = toy.whistle(
        " _ ".join(text.split()), words=SPELLED, bins=BINS
    )
    return samples


def word_starts(text: str) -> list[float]:
    """Seconds at which `whistle` begins each word."""
    return toy.word_starts(" _ ".join(text.split()), SPELLED)[::2]


def network(subsampling: int = 1) -> Network:
    """An LSTMP network that hears the tones."""
    options = NetworkOptions(
        outputs=SPELLING.num_outputs, cells=40, projection=40, layers=1, output_delay=0,
        subsampling=subsampling,
    )  # fmt: skip
    tensors = {name: np.zeros(shape, np.float32) for name, shape in options.shapes().items()}
    tensors["input.mean"] += 10.0
    tensors["input.inv_std"] += 0.4
    tensors["layers.0.w_x"][80:120] = np.eye(40)
    bias = tensors["layers.0.bias"]
    bias[:40], bias[40:80], bias[120:] = 20.0, -20.0, 20.0
    tensors["layers.0.w_p"][:] = np.eye(40)
    weight, bins = tensors["output.weight"], list(BINS.values())
    weight[:, bins] = -4.0
    weight[np.arange(1, options.outputs), bins] = 12.0
    return Network(options, tensors)


def config(first_pass: FirstPassOptions = toy.ON_THE_FLY) -> ModelConfig:
    """The toy model's options."""
    return ModelConfig(
        name="spelled", language="x-toy", licence="CC0-1.0", first_pass=first_pass,
        search=SearchOptions(acoustic_scale=1.0),
    )  # fmt: skip


def build(directory: Path, first_pass: FirstPassOptions = toy.ON_THE_FLY) -> ModelBundle:
    """Write the toy model's directory."""
    scratch = directory.with_name(directory.name + ".arpa")
    small = toy.automaton(toy.arpa(toy.SMALL, toy.PAIRS), scratch)
    large = toy.automaton(toy.arpa(toy.SMALL, toy.PAIRS + toy.LARGE_PAIRS.strip()), scratch)
    made = network()
    directory.mkdir(parents=True)
    write_network(made, directory / ACOUSTIC)
    SPELLING.write(directory / CHARACTERS)
    spelling_graph(SPELLING, small, first_pass).save(
        directory / graph_file(first_pass, CtcModel.kind)
    )
    small.save(directory / FIRST_PASS)
    large.compact().save(directory / RESCORING)
    return write_config(directory, ctc_config(config(first_pass), made.options, SPELLING))
