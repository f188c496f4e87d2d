"""An acoustic model of a model directory: network, what its outputs are, and how they are scaled.

A directory has one for recognition, and may have another for alignment: outputs every 30 ms make
recognition fast, and outputs every 10 ms find the boundaries of phones more exactly.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.transitions import TransitionModel
from recognizer.am.nnet.acoustic_model import AcousticModel, CtcModel, HybridModel
from recognizer.am.nnet.native import NativeNetwork
from recognizer.am.nnet.network_file import Network, read_network
from recognizer.am.tree.decision_tree import Tree
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.text.characters import CharacterSet
from recognizer.decoding.ctc.labels import CtcLabels
from recognizer.decoding.lattice.labels import GraphLabels, HmmLabels
from recognizer.model.config import AcousticSettings

Part = TypeVar("Part")


class PartCache:
    """What has been read of a directory; each part is read once, when it is first asked for.

    Parts may be asked for by several threads; no two of them read the same part.
    """

    def __init__(self) -> None:
        self._parts: dict[str, Any] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def get(self, name: str, make: Callable[[], Part]) -> Part:
        """The part of a name; `make` is called if there is none yet."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            if name not in self._parts:
                self._parts[name] = make()
            part: Part = self._parts[name]
            return part


@dataclass(frozen=True)
class AcousticFiles:
    """Names of the files of an acoustic model in its directory."""

    network: str
    tree: str
    transitions: str
    phones: str
    characters: str


class AcousticParts:
    """Network, and tree, transitions and phones, or characters; read when they are asked for.

    What a model of this kind does not have is refused with a `UsageError`.

    Args:
        directory: the model directory.
        files: their names.
        settings: what they must be, and how they are used.
        cache: keeps what has been read.
    """

    def __init__(
        self, directory: Path, files: AcousticFiles, settings: AcousticSettings, cache: PartCache
    ) -> None:
        self.files = files
        self.settings = settings
        self._directory = directory
        self._cache = cache

    @property
    def is_ctc(self) -> bool:
        """Whether the outputs are characters, and there are no phones, transitions and tree."""
        return self.settings.acoustic.kind == CtcModel.kind

    def expect(self, kind: str, part: str) -> None:
        """Refuse to look for a part that only another kind of model has.

        Raises:
            UsageError: the model is not of this kind.
        """
        found = self.settings.acoustic.kind
        if found != kind:
            raise UsageError(
                f"{self._directory}: expected a model of acoustic kind {kind!r}, which has {part}, "
                f"found one of kind {found!r}"
            )

    @property
    def characters(self) -> CharacterSet:
        """The characters that the outputs of a CTC model are, beside its blank."""
        self.expect(CtcModel.kind, "characters")
        return self._read(self.files.characters, CharacterSet.read)

    @property
    def labels(self) -> GraphLabels:
        """What the labels of its decoding graphs stand for."""

        def make() -> GraphLabels:
            if self.is_ctc:
                return CtcLabels(self.characters)
            return HmmLabels(self.transitions, self.phones)

        return self._cache.get(f"labels of {self.files.network}", make)

    @property
    def phones(self) -> PhoneTable:
        """The phone table."""
        self.expect(HybridModel.kind, "phones")
        return self._read(self.files.phones, PhoneTable.read)

    @property
    def transitions(self) -> TransitionModel:
        """Transition-ids and their probabilities, pdf-ids, phones."""
        self.expect(HybridModel.kind, "transitions")
        phones = self.phones
        return self._read(self.files.transitions, lambda path: TransitionModel.read(path, phones))

    @property
    def tree(self) -> Tree:
        """The phonetic decision tree (recognition does not need it: it is in the graph)."""
        self.expect(HybridModel.kind, "a decision tree")
        name = self.files.tree

        def read(path: Path) -> Tree:
            tree = Tree.read(path)
            self._agree(name, "num_pdfs", tree.num_pdfs)
            return tree

        return self._read(name, read)

    @property
    def network(self) -> Network:
        """The network's weights and log priors."""
        return self._read(self.files.network, self._read_network)

    @property
    def acoustic_model(self) -> AcousticModel:
        """Features in, scores for the search out: the network in the native engine."""

        def make() -> AcousticModel:
            # Not `network`, which would stay in memory beside the engine's own form of it.
            network = self._read_network(self._directory / self.files.network)
            options = self.settings.acoustic
            engine = NativeNetwork(network, options.precision)
            if options.kind == "ctc":
                return CtcModel(engine, self.settings.features, options.pruning)
            return HybridModel(engine, self.settings.features)

        return self._cache.get(f"engine of {self.files.network}", make)

    def copy(self, directory: Path, files: AcousticFiles) -> None:
        """Copy network, tree and transitions, but not the phones, under other names."""
        own = self.files
        for source, target in (
            (own.network, files.network),
            (own.tree, files.tree),
            (own.transitions, files.transitions),
        ):
            shutil.copyfile(self._directory / source, directory / target)

    def _read_network(self, path: Path) -> Network:
        network = read_network(path)
        name = self.files.network
        self._agree(name, "outputs", network.options.outputs)
        options, recorded = self.settings.acoustic, network.metadata.get("priors", {})
        for field, found, expected in (
            ("log_priors", "log_priors" in network.tensors, not self.is_ctc),
            ("input_dim", network.options.input_dim, self.settings.features.num_bins),
            ("output_delay", network.options.output_delay, options.output_delay),
            ("subsampling", network.options.subsampling, options.subsampling),
            ("priors", recorded.get("source", options.priors), options.priors),
            (
                "silence_weight",
                recorded.get("silence_weight", options.silence_weight),
                options.silence_weight,
            ),
        ):
            if found != expected:
                raise SpeechError(f"{path}: {field}: expected {expected}, found {found}")
        return network

    def _read(self, name: str, read: Callable[[Path], Part]) -> Part:
        return self._cache.get(name, lambda: read(self._directory / name))

    def _agree(self, name: str, field: str, found: int) -> None:
        expected = self.labels.num_outputs
        if found != expected:
            source = self.files.characters if self.is_ctc else self.files.transitions
            raise SpeechError(
                f"{self._directory / name}: {field}: expected {expected}, as in {source}, "
                f"found {found}"
            )
