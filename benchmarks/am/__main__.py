"""Acoustic models: inference and training beside torch's own modules, and features.

Torch's modules are `nn.LSTM(proj_size)` of the same shape, which has no peepholes and does not clip
its cells. Contestants take turns in alternating rounds and the best of five counts, so that other
work on the machine disturbs all alike. The machine's own limits, streaming bandwidth and matrix
products, are measured in the same run.

    python -m benchmarks.am --json am.json
    python -m benchmarks.am --parts inference --streams 1 8 --rounds 3
"""

from __future__ import annotations

import argparse
import os
import warnings

if __name__ == "__main__":
    # Of numpy: the bandwidth is measured by one thread or several of our own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import torch

from benchmarks.am import features, inference, sequence, training
from benchmarks.am.machine import Machine
from benchmarks.common.report import Row, add_json_option, output, write_json
from recognizer.am.nnet.native import cpu_levels

PARTS = ("inference", "training", "sequence", "features")


def main() -> None:
    """Run the parts, print their tables and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 2, 8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--outputs", type=int, default=2400, help="tied states")
    parser.add_argument("--level", choices=cpu_levels(), help="of instructions (default fastest)")
    add_json_option(parser)
    arguments = parser.parse_args()
    parts = arguments.parts
    warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
    torch.manual_seed(0)
    console = output()
    rows: list[Row] = []
    summary: dict[str, float] = {}
    if "inference" in parts:
        machines = {threads: Machine.measure(threads) for threads in arguments.threads}
        for machine in machines.values():
            console.print(machine)
            rows.append(machine.row())
        found = inference.run(
            machines, arguments.streams, arguments.outputs, arguments.rounds, arguments.level
        )
        console.print(inference.table(found))
        rows += found
        summary |= inference.summary(found)
    if "training" in parts:
        found = training.run(max(arguments.threads), arguments.outputs, arguments.rounds)
        console.print(training.table(found))
        rows += found
        summary |= training.summary(found)
    if "sequence" in parts:
        found = sequence.run(max(arguments.threads), arguments.outputs, arguments.rounds)
        console.print(sequence.table(found))
        rows += found
        summary |= sequence.summary(found)
    if "features" in parts:
        found = features.run(arguments.rounds)
        console.print(features.table(found))
        rows += found
    for name, value in summary.items():
        console.print(f"{name}: {value:g}")
    facts = {
        "torch": torch.__version__,
        "level": arguments.level or cpu_levels()[-1],
        "rows": rows,
        "summary": summary,
    }
    write_json(arguments.json, facts)


if __name__ == "__main__":
    main()
