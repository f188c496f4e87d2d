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
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

import torch
from torch import Tensor, multiprocessing

from recognizer.am.torch.network_module import NetworkModule
from recognizer.am.training.engine.checkpoint import read_checkpoint
from recognizer.am.training.engine.learner import (
    Learner,
    Place,
    Sums,
    check_finite,
    descend,
    scale_gradients,
)
from recognizer.am.training.engine.run import TrainingResult, TrainingRun
from recognizer.am.training.engine.runtime import fast_arithmetic
from recognizer.am.training.engine.task import TrainingTask
from recognizer.data.errors import SpeechError

_POLL_SECONDS = 0.1

# Columns of the shared table of each worker's counts.
_LOSS, _CORRECT, _FRAMES, _EPOCH = range(4)


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
    places: list[Place | None] = [None] * task.options.workers
    if resume and run.checkpoint_path.exists():
        places = [*run.restore(*read_checkpoint(run.checkpoint_path), workers=len(places))]
    if run.finished:
        return run.result()
    run.model.share_memory()
    with run.session(), _Workers(run, places) as workers:
        while workers.running:
            workers.poll()
            stop = run.interrupted or (max_frames is not None and run.frames >= max_frames)
            if run.evaluation_due and workers.running and not run.enough:
                run.measure([p.detach().clone() for p in run.parameters])
            if workers.running and (stop or run.checkpoint_due):
                with workers.paused():
                    workers.save()
                if stop:
                    break
        else:
            run.finish(run.parameters)
            workers.save()
    return run.result()


class _Workers:
    """The worker processes, as the leading process sees them.

    Attributes:
        running: connections to those that still have something to do.
    """

    def __init__(self, run: TrainingRun, places: list[Place | None]) -> None:
        self._run = run
        self._places = places
        self._counts = torch.zeros(len(places), 4, dtype=torch.float64)
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
            with _interrupts_wait():
                for index, place in enumerate(self._places):
                    ours, theirs = context.Pipe()
                    part = task.part(index, len(self._places))
                    process = context.Process(
                        target=_work,
                        args=(index, part, self._run.model, self._counts, theirs, place),
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
        loss, correct, frames, _ = (now - self._seen).sum(0).tolist()
        self._seen = now
        sums = Sums(loss, int(correct), int(frames))
        check_finite(sums)
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
        self._places[index] = content
        if kind == "done":
            del self.running[connection]
            connection.close()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """All workers stand still between two chunks, and their places are known."""
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
        self._run.save([place for place in self._places if place is not None])


def _send(connection: Connection, message: str) -> None:
    """A worker that has died meanwhile is noticed where it is heard."""
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        connection.send(message)


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Holds SIGINT back; processes started meanwhile never see it, their leader ends them."""
    resource_tracker.ensure_running()  # starting it lets signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(
    index: int,
    task: TrainingTask,
    model: NetworkModule,
    counts: Tensor,
    leader: Connection,
    place: Place | None,
) -> None:
    """What a worker process does, until its utterances end or its leader does.

    Args:
        index: of this worker.
        task: with its own utterances.
        model: in shared memory.
        counts: of all workers ``[W, 4]``, in shared memory.
        leader: to talk with.
        place: where to go on.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with fast_arithmetic(task.options.threads or 1):
            torch.manual_seed(task.options.seed + index)  # dropout
            learner = task.make_learner(model)
            if place is not None:
                learner.go_to(place, task.directory)
            while _listen(leader, learner) and _step(task, learner, counts, index):
                pass
            leader.send(("done", learner.place()))
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
        leader.send(("place", learner.place()))
        leader.recv()
    return True


def _step(task: TrainingTask, learner: Learner, counts: Tensor, index: int) -> bool:
    """Train on one chunk; whether there was one."""
    options = task.options
    done = int(counts[:, _FRAMES].sum())
    if 0 < options.max_frames <= done or (chunk := learner.next_chunk()) is None:
        return False
    result, sums = learner.forward(chunk)
    check_finite(sums)
    if sums.frames:
        gradients = learner.gradients(result)
        scale_gradients(gradients, options, sums.frames)
        descend(learner.parameters, gradients, options.learning_rate_at(done, task.planned_frames))
        counts[index, : _FRAMES + 1] += torch.tensor(sums, dtype=counts.dtype)
        counts[index, _EPOCH] = learner.epoch
    return True
