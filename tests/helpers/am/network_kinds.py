"""Small networks of every kind, for tests."""

from __future__ import annotations

import torch

from recognizer.am.nnet.convolution import ConvolutionOptions, LookaheadOptions
from recognizer.am.nnet.layers import LstmpOptions, PoolingOptions, TdnnOptions
from recognizer.am.nnet.network_file import Network
from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.nnet.recurrent import GruOptions, RnnOptions
from recognizer.am.torch.network_module import NetworkModule
from recognizer.am.torch.networks import make_network

STREAMING = {
    "lstmp": NetworkShape(cells=17, projection=9, layers=3),
    "lstm": NetworkShape(cells=17, projection=0, layers=2),
    "lstmp without peepholes": NetworkShape(cells=17, projection=9, peepholes=False),
    "dnn": NetworkShape(kind="dnn", cells=33, projection=0, left_context=3, right_context=2),
    "low-rank sigmoid dnn": NetworkShape(
        kind="dnn", cells=70, projection=5, layers=3, activation="sigmoid", left_context=0,
        right_context=1,
    ),
    "dnn of one frame": NetworkShape(
        kind="dnn", cells=20, projection=0, layers=1, left_context=0, right_context=0
    ),
    "lstmp, running mean": NetworkShape(
        cells=17, projection=9, layers=2, mean_window=20, mean_prior=7
    ),
    "dnn, running mean": NetworkShape(
        kind="dnn", cells=33, projection=0, left_context=3, right_context=2, mean_window=300,
        mean_prior=1,
    ),
}  # fmt: skip

WHOLE = {
    "blstmp": NetworkShape(cells=17, projection=9, layers=2, bidirectional=True),
    "blstm": NetworkShape(
        cells=19, projection=0, layers=3, bidirectional=True, peepholes=False, cell_clip=0.5
    ),
    "blstmp, running mean": NetworkShape(
        cells=17, projection=9, layers=2, bidirectional=True, mean_window=10, mean_prior=10
    ),
}

KINDS = STREAMING | WHOLE

# Outputs further apart than frames: training makes none yet.
SUBSAMPLED_STREAMING = {
    "lstmp, every third": NetworkShape(cells=17, projection=9, layers=2, subsampling=3),
    "lstm, delay of two, every fourth": NetworkShape(
        cells=16, projection=0, output_delay=2, subsampling=4
    ),
    "dnn, every second": NetworkShape(
        kind="dnn", cells=33, projection=0, left_context=3, right_context=2, subsampling=2
    ),
}

SUBSAMPLED_WHOLE = {
    "blstmp, every third": NetworkShape(
        cells=17, projection=9, layers=2, bidirectional=True, subsampling=3
    ),
}

SUBSAMPLED = SUBSAMPLED_STREAMING | SUBSAMPLED_WHOLE

LAYERED = {
    "tdnn": NetworkShape(
        kind="layered",
        layers=(
            TdnnOptions(units=33, left=1, right=1),
            TdnnOptions(units=20, left=2, right=1, dilation=2, batch_norm=False),
            TdnnOptions(units=20, left=1, bypass=0.5),
        ),
    ),
    "tdnn, every third": NetworkShape(
        kind="layered",
        layers=(
            TdnnOptions(units=20, left=2, right=2),
            TdnnOptions(units=24, left=2, right=2, stride=3),
            TdnnOptions(units=24, left=1, right=1, bypass=0.66),
            TdnnOptions(units=9, activation="none"),
        ),
    ),
    "tdnn, every third, running mean": NetworkShape(
        kind="layered",
        layers=(
            TdnnOptions(units=20, left=1, right=1),
            TdnnOptions(units=24, left=2, right=2, stride=3),
            TdnnOptions(units=24, left=1, right=1),
        ),
        mean_window=25,
        mean_prior=4,
    ),
    "factorised, every sixth": NetworkShape(
        kind="layered",
        layers=(
            TdnnOptions(units=16, bottleneck=5, left=1, stride=2),
            TdnnOptions(units=16, bottleneck=4, left=1, right=1, bypass=0.66),
            TdnnOptions(units=18, bottleneck=4, left=1, right=2, dilation=3, stride=3),
            TdnnOptions(units=18, bottleneck=4, left=1, right=1, dilation=2, bypass=0.75),
        ),
    ),
    "tdnn and lstmp, every third": NetworkShape(
        kind="layered",
        layers=(
            TdnnOptions(units=24, left=2, right=2),
            TdnnOptions(units=24, left=1, right=1, stride=3),
            LstmpOptions(cells=17, projection=9),
            TdnnOptions(units=30, left=1, right=1),
            LstmpOptions(cells=12, peepholes=False, cell_clip=0.5),
            TdnnOptions(units=7, activation="none", batch_norm=False),
        ),
        output_delay=12,
    ),
    "tdnn and pooling, every third": NetworkShape(
        kind="layered",
        layers=(
            TdnnOptions(units=24, left=1, right=1, stride=3),
            PoolingOptions(window=9, prior=2),
            TdnnOptions(units=20, left=1),
        ),
    ),
    "tdnn, running mean, every second": NetworkShape(
        kind="layered",
        layers=(TdnnOptions(units=30, left=1, stride=2), TdnnOptions(units=20, right=2)),
        mean_window=20,
        mean_prior=7,
    ),
}

# The layers of Deep Speech 2, in one direction.
LAYERED |= {
    "convolution over time and rnn, every second": NetworkShape(
        kind="layered",
        layers=(
            ConvolutionOptions(filters=20, left=2, right=2, stride=2, clip=2.0),
            RnnOptions(units=19, clip=1.5),
            RnnOptions(units=17, batch_norm=False),
            LookaheadOptions(right=3),
            TdnnOptions(units=15),
        ),
    ),
    "convolution over time and frequency and gru, every sixth": NetworkShape(
        kind="layered",
        layers=(
            ConvolutionOptions(filters=4, left=2, right=2, stride=2, height=3, frequency_stride=2),
            ConvolutionOptions(
                filters=5, left=1, right=1, stride=3, height=2, maps=4, clip=0.7, batch_norm=False
            ),
            GruOptions(units=17),
            GruOptions(units=9, activation="relu", clip=0.9),
            LookaheadOptions(right=2),
        ),
        mean_window=20,
        mean_prior=7,
    ),
    "gru of features": NetworkShape(
        kind="layered", layers=(GruOptions(units=24, batch_norm=False), LookaheadOptions(right=1))
    ),
}

# In both directions: whole utterances, by torch only.
LAYERED_WHOLE = {
    "convolution and rnn of both directions, every second": NetworkShape(
        kind="layered",
        layers=(
            ConvolutionOptions(filters=3, left=1, right=3, stride=2, height=3),
            RnnOptions(units=12, bidirectional=True),
            GruOptions(units=11, bidirectional=True, batch_norm=False),
        ),
    ),
}

INPUTS, OUTPUTS = 6, 23


def make_module(kind: str, *, precision: torch.dtype = torch.float32) -> NetworkModule:
    """A network with weights large enough for every one to be heard."""
    options = NetworkOptions.of(
        (KINDS | SUBSAMPLED | LAYERED | LAYERED_WHOLE)[kind], OUTPUTS, INPUTS
    )
    model = make_network(
        options,
        generator=torch.Generator().manual_seed(0),
        initial_range=0.5,
        forget_bias=1.0,
        precision=precision,
    )
    generator = torch.Generator().manual_seed(1)
    for name, value in model.state_dict().items():
        if name.endswith((".bias", ".norm.mean")) and kind in LAYERED | LAYERED_WHOLE:
            value.uniform_(-0.5, 0.5, generator=generator)
        if name.endswith((".norm.variance", ".norm.scale")):
            value.uniform_(0.2, 2.0, generator=generator)
    model.input.mean.fill_(3.0)
    model.input.inv_std.fill_(0.7)
    return model.eval()


def make_file(kind: str) -> Network:
    """The same as it is written to a file."""
    return make_module(kind).to_network(torch.linspace(-5, -1, OUTPUTS).numpy())
