"""Work by many processes that takes for ever: ``long_work.py KIND DIRECTORY``.

Writes the file DIRECTORY/begun once the processes are at work.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from functools import partial
from pathlib import Path


def sleep(begun: Path, seconds: float) -> None:
    begun.touch()
    time.sleep(seconds)


def main(kind: str, directory: Path) -> None:
    begun = directory / "begun"
    if kind == "processes":
        from recognizer.data.parallel.processes import process_map

        list(process_map(partial(sleep, begun), [1e6, 1e6], 2, "sleeping"))
        return
    from recognizer.am.training.engine.options import ParameterServerOptions
    from recognizer.am.training.engine.run import TrainingRun
    from recognizer.am.training.train import make_task, train
    from toy_training import NETWORK, SGD, make_utterances

    count = TrainingRun.count

    def count_and_tell(run: TrainingRun, *arguments: object) -> None:
        count(run, *arguments)  # type: ignore[arg-type]
        if run.frames:
            begun.touch()

    TrainingRun.count = count_and_tell  # type: ignore[method-assign, assignment]
    changes: dict[str, object] = {"mode": kind, "epochs": 10**6}
    if kind in ("async", "ray"):
        changes["workers"] = 2
    if kind == "ray":
        changes["cluster"] = ParameterServerOptions(threads=1)
    options = dataclasses.replace(SGD, **changes)  # type: ignore[arg-type]
    if kind != "ddp":
        train(make_utterances(), NETWORK, options, directory, progress=False)
        return
    from recognizer.am.training.parallel.ddp import follow, lead, process_group

    with process_group(options) as leads:
        if leads:
            lead(make_task(make_utterances(), NETWORK, options, directory, progress=False))
        else:
            follow()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
