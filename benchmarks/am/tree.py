"""Growing a decision tree of many leaves on statistics made for the purpose.

    python -m benchmarks.am.tree --leaves 14247 --rows 500000

The statistics are those of one Gaussian for each of ROWS states in context, drawn at random without
repetition from all triphones of 40 phones in four word positions (and silence) and their three
states; means follow phone, neighbours and word position, as co-articulation makes them, with as
much again of their own. Counts are geometric with a mean of 30 frames. Prints the leaves, the
seconds of finding questions and of growing, and the peak of the resident memory, in which the
statistics themselves (ROWS times 79 numbers) are contained.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from benchmarks.common.report import add_json_option, print_rows, write_json
from recognizer.am.hmm.phones import PhoneTable
from recognizer.am.hmm.topology import Topology
from recognizer.am.tree.growing import TreeOptions, build_tree
from recognizer.am.tree.questions import make_questions
from recognizer.am.tree.statistics import StatsTable

DIM = 39


def statistics(phones: PhoneTable, rows: int, seed: int) -> StatsTable:
    """Made-up statistics; see the module's documentation."""
    rng = np.random.default_rng(seed)
    n = len(phones)
    speech = np.arange(3, n)
    keys = np.zeros(0, np.int64)
    while len(keys) < rows:
        more = 2 * (rows - len(keys)) + 100
        phone = rng.choice(speech, more)
        left, right = rng.integers(0, n, (2, more))
        left[left == 2], right[right == 2] = 1, 1
        keys = np.unique(
            np.append(keys, ((phone * 3 + rng.integers(0, 3, more)) * n + left) * n + right)
        )
        keys = np.sort(rng.permutation(keys)[:rows])
    rest, right = np.divmod(keys, n)
    rest, left = np.divmod(rest, n)
    phone, state = np.divmod(rest, 3)
    base = np.array([0, 1, 2, *(3 + (i - 3) // 4 for i in range(3, n))])
    position = (np.arange(n) - 3) % 4
    of_phone = rng.normal(size=(3, n, DIM)) * 3
    neighbour = rng.normal(size=(2, n, DIM))
    place = rng.normal(size=(4, DIM)) * 0.5
    means = of_phone[state, base[phone]] + place[position[phone]]
    means += neighbour[0][base[left]] * (1.2 - 0.5 * state[:, None])
    means += neighbour[1][base[right]] * (0.2 + 0.5 * state[:, None])
    means += rng.normal(size=means.shape)
    counts = rng.geometric(1 / 30, rows).astype(np.float64)
    squares = counts[:, None] * (means**2 + rng.uniform(0.5, 1.5, means.shape))
    means *= counts[:, None]
    return StatsTable(left, phone, right, state, counts, means, squares)


def main() -> None:
    """Makes statistics, grows the tree, prints and writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--leaves", type=int, default=14_247)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--min-count", type=float, default=100.0)
    parser.add_argument("--seed", type=int, default=0)
    add_json_option(parser)
    arguments = parser.parse_args()
    phones = PhoneTable.from_base([f"P{i:02d}" for i in range(40)])
    table = statistics(phones, arguments.rows, arguments.seed)
    begin = time.perf_counter()
    questions = make_questions(table, phones)
    found = time.perf_counter()
    options = TreeOptions(arguments.leaves, min_count=arguments.min_count)
    tree = build_tree(table, phones, Topology.standard(phones), options, questions)
    grown = time.perf_counter()
    triples = len(tree.tuples())
    named = time.perf_counter()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    row = {
        "states_in_context": len(table),
        "frames": int(table.counts.sum()),
        "questions": len(questions.context),
        "question_seconds": round(found - begin, 1),
        "leaves": tree.num_pdfs,
        "growing_seconds": round(grown - found, 1),
        "transition_states": triples,
        "transition_state_seconds": round(named - grown, 1),
        "peak_memory_mib": round(memory),
    }
    print_rows("A decision tree", [row])
    write_json(arguments.json, {"rows": [row]})


if __name__ == "__main__":
    main()
