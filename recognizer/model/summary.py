"""What a model's network is, in words: `recognizer model show` puts it above the options."""

from __future__ import annotations

from collections import Counter

import numpy as np

from recognizer.am.nnet.options import NetworkOptions
from recognizer.am.nnet.priors import DISABLED_LOG_PRIOR
from recognizer.model.bundle import ModelBundle


def network_summary(bundle: ModelBundle) -> tuple[str, ...]:
    """Lines about the network's shape and the states' priors.

    Raises:
        SpeechError: a damaged network, phone table or transition model.
    """
    network = bundle.network
    options = network.options
    shift = bundle.acoustic_model.output_frame_shift
    if bundle.recognition.is_ctc:
        return (
            f"network: {shape_name(options)}, {options.parameter_count():,} parameters, "
            f"{options.outputs - 1:,} characters and the blank every {1000 * shift:g} ms",
            "no tree, no phones, no transitions: trained with CTC, its outputs are characters",
        )
    disabled = network.log_priors >= DISABLED_LOG_PRIOR
    # In the search's terms, after silence's counts were divided.
    mass = np.where(disabled, 0.0, np.exp(np.minimum(network.log_priors, 0.0), dtype=float))
    silence = sorted(bundle.transitions.silence_pdfs)
    priors = f"priors: {mass[silence].sum():.1%} silence, states disabled: {int(disabled.sum())}"
    if bundle.config.acoustic.priors == "none":
        priors = "priors: none, the outputs are scores"
    lines = (
        f"network: {shape_name(options)}, {options.parameter_count():,} parameters, "
        f"{options.outputs:,} states every {1000 * shift:g} ms",
        priors,
    )
    if bundle.alignment is bundle.recognition:
        return lines
    aligner = bundle.alignment
    shift = 1000 * aligner.acoustic_model.output_frame_shift
    size = f"{aligner.network.options.outputs:,} states every {shift:g} ms"
    return (*lines, f"aligner: {shape_name(aligner.network.options)}, {size}")


def shape_name(options: NetworkOptions) -> str:
    """Such as ``LSTMP 2x800/512``: layers, cells, projection; ``TDNN 9, LSTMP 2`` of layers."""
    if options.stack:
        kinds = Counter(layer.kind.upper() for layer in options.stack)
        return ", ".join(f"{kind} {count}" for kind, count in kinds.items())
    kind = "DNN" if options.kind == "dnn" else "LSTMP" if options.projection else "LSTM"
    if options.bidirectional:
        kind = f"bidirectional {kind}"
    return f"{kind} {options.depth}x{options.cells}" + (
        f"/{options.projection}" if options.projection else ""
    )
