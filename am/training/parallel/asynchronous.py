"""Asynchronous stochastic gradient descent on one machine, as in section 3 of the paper.

The parameters lie in memory that all workers share. Each worker, a process with N streams of its
own, computes gradients of whatever the parameters are at that moment and adds them back at once,
without locks: updates are small and mostly elsewhere, so that those which overwrite each other
matter little (Recht, Re, Wright and Niu, "Hogwild!", NIPS 2011). The order of updates depends on
the machine, and so does the result, unless there is one worker: then (without dropout) it is the
same as training in a single process.

The leading process trains nothing. It counts, measures on a copy of the parameters, and stops all
workers between two chunks to write a checkpoint.
"""

from __future__ import annotations

import contextlib
import signal
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

import torch
from torch import Tensor, multiprocessing

from recognizer.am.training.engine.checkpoint import read_checkpoint
from recognizer.am.training.engine.learner import (
    Learner,
    Position,
    check_finite,
    descend,
    scale_gradients,
)
from recognizer.am.training.engine.objective import Objective
from recognizer.am.training.engine.run import TrainingResult, TrainingRun
from recognizer.am.training.engine.runtime import fast_arithmetic
from recognizer.am.training.engine.task import TrainingTask
from recognizer.data.errors import SpeechError
from recognizer.data.parallel.processes import interrupts_wait

_POLL_SECONDS = 0.1

# Columns of the shared table of each worker's counts: `Sums.values`, and then the epoch.
_FRAMES, _EPOCH = 2, -1


def train_async(
    task: TrainingTask, *, resume: bool = True, max_frames: int | None = None
) -> TrainingResult:
    """Train with ``task.options.workers`` processes of this machine.

    Args:
        task: its data are divided among the workers.
        resume: go on from a checkpoint if there is one.
        max_frames: stop as if interrupted after this many frames.

    Raises:
        SpeechError: a worker failed or died, or the checkpoint is of another run.
    """
    run = TrainingRun(task)
    positions: list[Position | None] = [None] * task.options.workers
    if resume and run.checkpoint_path.exists():
        positions = [*run.restore(*read_checkpoint(run.checkpoint_path), workers=len(positions))]
    if run.finished:
        return run.result()
    run.model.share_memory()
    with run.session(), _Workers(run, positions) as workers:
        while workers.running:
            workers.poll()
            stop = run.interrupted or (max_frames is not None and run.frames >= max_frames)
            if run.evaluation_due and workers.running and not run.enough:
                run.measure([w.detach().clone() for w in run.weights])
            if workers.running and (stop or run.checkpoint_due):
                with workers.paused():
                    workers.save()
                if stop:
                    break
        else:
            run.finish(run.weights)
            workers.save()
    return run.result()


class _Workers:
    """The worker processes, as the leading process sees them.

    Attributes:
        running: connections to those that still have something to do.
    """

    def __init__(self, run: TrainingRun, positions: list[Position | None]) -> None:
        self._run = run
        self._positions = positions
        self._counts = torch.zeros(
            len(positions), len(run.model.criterion.sums().values()) + 1, dtype=torch.float64
        )
        self._counts.share_memory_()  # type: ignore[no-untyped-call]
        self._counts[0, _FRAMES] = run.frames  # of former runs; only the sum counts
        self._seen = self._counts.clone()
        self._processes: list[Any] = []
        self.running: dict[Connection, int] = {}

    def __enter__(self) -> _Workers:
        # Workers are forked from a process that does nothing but load torch once.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        task = self._run.task
        try:
            with interrupts_wait():
                for index, position in enumerate(self._positions):
                    ours, theirs = context.Pipe()
                    part = task.part(index, len(self._positions))
                    process = context.Process(
                        target=_work,
                        args=(index, part, self._run.model, self._counts, theirs, position),
                        daemon=True,
                    )
                    process.start()
                    theirs.close()
                    self._processes.append(process)
                    self.running[ours] = index
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        for connection in self.running:
            connection.close()  # a worker that loses its leader ends
        for process in self._processes:
            process.join(timeout=10)
            if process.is_alive():
                process.kill()
                process.join()

    def poll(self) -> None:
        """Wait a moment, count what was done, and hear from workers that are done."""
        for connection in wait(list(self.running), timeout=_POLL_SECONDS):
            assert isinstance(connection, Connection)
            self._hear(connection)
        self._count()

    def _count(self) -> None:
        now = self._counts.clone()
        *values, _ = (now - self._seen).sum(0).tolist()
        self._seen = now
        sums = self._run.model.criterion.sums(values)
        check_finite(sums.loss)
        self._run.count(sums, int(now[:, _EPOCH].max()))

    def _hear(self, connection: Connection) -> None:
        index = self.running[connection]
        try:
            kind, content = connection.recv()
        except (EOFError, ConnectionError):
            self._processes[index].join(timeout=10)
            raise SpeechError(
                f"training: worker {index} died (exit code {self._processes[index].exitcode}; out "
                "of memory?); the same command goes on from the last checkpoint"
            ) from None
        if kind == "failed":
            raise SpeechError(f"training: worker {index}: {content}")
        self._positions[index] = content
        if kind == "done":
            del self.running[connection]
            connection.close()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """All workers stand still between two chunks, and their positions are known."""
        for connection in self.running:
            _send(connection, "pause")
        for connection in list(self.running):
            self._hear(connection)
        self._count()
        yield
        for connection in self.running:
            _send(connection, "go")

    def save(self) -> None:
        """Write a checkpoint; the workers are paused or done."""
        self._run.save([one for one in self._positions if one is not None])


def _send(connection: Connection, message: str) -> None:
    """A worker that has died meanwhile is noticed where it is heard."""
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        connection.send(message)


def _work(
    index: int,
    task: TrainingTask,
    model: Objective,
    counts: Tensor,
    leader: Connection,
    position: Position | None,
) -> None:
    """What a worker process does, until its utterances end or its leader does.

    Args:
        index: of this worker.
        task: with its own utterances.
        model: in shared memory.
        counts: of all workers, a row for each, in shared memory.
        leader: to talk with.
        position: where to go on.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with fast_arithmetic(task.options.threads or 1):
            torch.manual_seed(task.options.seed + index)  # dropout
            learner = task.make_learner(model)
            if position is not None:
                learner.go_to(position, task.directory)
            while _listen(leader, learner) and _step(task, learner, counts, index):
                pass
            leader.send(("done", learner.position()))
    except (EOFError, ConnectionError):
        return  # the leader is gone
    except SpeechError as error:
        leader.send(("failed", str(error)))
    except Exception:
        leader.send(("failed", traceback.format_exc().strip().splitlines()[-1]))


def _listen(leader: Connection, learner: Learner) -> bool:
    """Do what the leader asks for; raises EOFError once it is gone."""
    while leader.poll():
        leader.recv()
        leader.send(("position", learner.position()))
        leader.recv()
    return True


def _step(task: TrainingTask, learner: Learner, counts: Tensor, index: int) -> bool:
    """Train on one chunk; whether there was one."""
    options = task.options
    done = int(counts[:, _FRAMES].sum())
    if 0 < options.max_frames <= done or (chunk := learner.next_chunk()) is None:
        return False
    learner.begin_step(done)
    result, sums = learner.forward(chunk)
    check_finite(sums.loss)
    if sums.units:
        gradients = learner.gradients(result)
        scale_gradients(gradients, options, sums.units)
        descend(learner.parameters, gradients, options.learning_rate_at(done, task.planned_frames))
        learner.end_step()
        counts[index, :_EPOCH] += torch.tensor(sums.values(), dtype=counts.dtype)
        counts[index, _EPOCH] = learner.epoch
    return True
