"""Recognises recordings with k2 in the first pass: python -m examples.k2_engine FILE ...

The second pass and all else that works on lattices is the library's own. Needs a k2 that was built
for the installed torch (docs/inside/k2.md).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from recognizer import Recognizer
from recognizer.data.audio.reading import read_audio
from recognizer.data.errors import SpeechError
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.rescoring.models import EpsilonBackoff
from recognizer.decoding.rescoring.rescore import Rescorer
from recognizer.model.first_pass_graph import graph_of_bundle
from recognizer.model.static import STATIC

from .engine import K2Decoder, load_k2


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a line for each file: its name, a tab, the words; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--model", type=Path, help="a model directory; default: the English one")
    parser.add_argument("--device", default="cpu", help="torch's name of a device")
    options = parser.parse_args(arguments)
    try:
        load_k2()  # before the seconds that the graph takes
        recognize(options.files, options.model, options.device)
    except SpeechError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def recognize(files: Sequence[Path], model: Path | None, device: str) -> None:
    """Recognises files with one model."""
    recognizer = Recognizer(model)
    bundle, search = recognizer.bundle, recognizer.search
    # k2 searches a static graph. A model that has none gets one, which takes half a minute.
    static = bundle.config.first_pass.search == "static"
    graph = bundle.graph if static else graph_of_bundle(bundle, STATIC)
    decoder = K2Decoder(graph.to_graph(), graph.pdfs(), search, device=device)
    # In a static graph back-off arcs are epsilons; this is what rescoring has to take out.
    rescorer = Rescorer(EpsilonBackoff(bundle.first_pass_lm), bundle.rescoring_lm, graph.words)
    for file in files:
        scores = recognizer.acoustic_scores(read_audio(file))
        lattice = determinize(
            decoder.decode(scores), search.acoustic_scale, search.determinization_beam
        )
        best = rescorer.rescore(lattice, search.acoustic_scale, recognizer.rescoring).best
        print(f"{file}\t{' '.join(recognizer.path_words(best))}")


if __name__ == "__main__":
    sys.exit(main())
