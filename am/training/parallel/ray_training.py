"""Asynchronous stochastic gradient descent over machines: parameter servers and workers on Ray.

As in the paper's distributed training (after Dean et al., "Large scale distributed deep networks",
NIPS 2012): the parameters are partitioned over shards
(`recognizer.am.training.parallel.ray_shard`), workers fetch them and send gradients at their own
pace (`recognizer.am.training.parallel.ray_worker`), each with several threads that compute one
gradient together. A gradient is stale when it arrives: others have moved the parameters since they
were fetched. By how much is measured and logged.

Whatever dies is started again: a shard, by Ray, from its own checkpoint, with at most
``save_updates`` updates lost; a worker, by the process that leads, where it last reported. If
that process dies, the run goes on from the run's checkpoint.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from recognizer.am.training.engine.checkpoint import read_checkpoint
from recognizer.am.training.engine.learner import Position
from recognizer.am.training.engine.run import TrainingResult, TrainingRun
from recognizer.am.training.engine.task import TrainingTask
from recognizer.am.training.parallel.ray_shard import ParameterShard, ShardStatus, write_shard
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.parallel.cluster import ray_cluster

try:
    import ray
except ImportError:
    raise SpeechError("mode \"ray\" needs Ray: pip install 'recognizer[cluster]'") from None

from recognizer.am.training.parallel.ray_worker import Report, Worker

_POLL_SECONDS = 0.5
_MOST_RESTARTS = 100


def train_on_ray(
    task: TrainingTask, *, resume: bool = True, max_frames: int | None = None
) -> TrainingResult:
    """Train with ``task.options.workers`` workers on a Ray cluster.

    Args:
        task: its data are divided among the workers' threads.
        resume: go on from a checkpoint if there is one.
        max_frames: stop as if interrupted after this many frames.

    Raises:
        SpeechError: Ray cannot be reached, the training itself failed, or the checkpoint is of
            another run.
        UsageError: the network is layered: parameter servers hold no running statistics, and do not
            know which parameters are a matrix that is to be semi-orthogonal.
    """
    if task.network.kind == "layered":
        raise UsageError('network option kind: expected lstm or dnn in mode "ray", found layered')
    run = TrainingRun(task)
    threads = task.options.workers * task.options.cluster.threads
    positions: list[Position | None] = [None] * threads
    if resume and run.checkpoint_path.exists():
        positions = [*run.restore(*read_checkpoint(run.checkpoint_path), workers=threads)]
    if run.finished:
        return run.result()
    # On one machine, more threads than cores only make each other slower.
    cores = max(os.cpu_count() or 1, threads)
    with run.session(), ray_cluster(task.options.cluster.address, cores):
        servers = _Servers(run)
        workers = _Workers(run, servers, positions)
        while workers.running:
            workers.poll()
            stop = run.interrupted or (max_frames is not None and run.frames >= max_frames)
            if run.enough or stop:
                workers.drain()
            if run.evaluation_due and not run.enough and workers.running:
                run.measure(servers.fetch(), **workers.facts())
            if workers.reported and (stop or run.checkpoint_due):
                servers.fetch()
                run.save(workers.reported)
            if stop:
                break
        else:
            run.finish(servers.fetch(), **workers.facts())
            assert workers.reported is not None  # each reports that it is done
            run.save(workers.reported)
    return run.result()


class _Servers:
    """The shards, as the leading process sees them."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        task, cluster = run.task, run.task.options.cluster
        directory = task.directory / "shards"
        shutil.rmtree(directory, ignore_errors=True)  # those of a run that died
        directory.mkdir(parents=True)
        shard = ray.remote(ParameterShard)
        vector = parameters_to_vector(run.parameters).detach().numpy()
        self.handles: list[Any] = []
        for index, values in enumerate(np.array_split(vector, cluster.parameter_shards)):
            path = (directory / f"{index}.safetensors").absolute()
            write_shard(path, values, run.frames)
            self.handles.append(
                shard.options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote(
                    path, task.options, task.planned_frames
                )
            )
        self.status()  # all have begun

    def fetch(self) -> list[Tensor]:
        """The parameters as they are now; the run's own are set to them."""
        fetched = self._ask([handle.fetch.remote() for handle in self.handles])
        vector = torch.from_numpy(np.concatenate([values for _, values in fetched]))
        vector_to_parameters(vector, self._run.parameters)
        return self._run.parameters

    def status(self) -> list[ShardStatus]:
        """What the shards tell about themselves."""
        status: list[ShardStatus] = self._ask([h.status.remote() for h in self.handles])
        return status

    def _ask(self, references: list[Any]) -> Any:
        try:
            return _get(references)
        except ray.exceptions.RayActorError as error:
            # Ray starts shards again; this one could not even begin.
            line = str(error).strip().splitlines()[-1]
            raise SpeechError(f"training: a shard cannot go on: {line}") from None


class _Workers:
    """The workers, as the leading process sees them.

    Attributes:
        running: what they are doing, and which worker it is.
        handles: of the workers.
        restarts: how often one was started again.
    """

    def __init__(
        self, run: TrainingRun, servers: _Servers, positions: list[Position | None]
    ) -> None:
        self._run = run
        self._servers = servers
        self._threads = run.task.options.cluster.threads
        self._positions = positions
        self._task = ray.put(run.task)
        self._staleness: list[float] = []
        self._draining = False
        self.restarts = 0
        self.running: dict[Any, int] = {}
        wanted = run.task.options.workers * self._threads
        have = ray.cluster_resources().get("CPU", 0)  # type: ignore[no-untyped-call]
        if have < wanted:
            run.say(
                f"the cluster has {have:g} processors and the workers ask for {wanted}: "
                "some wait until there are more"
            )
        self.handles: list[Any] = [self._start(index) for index in range(run.task.options.workers)]
        for index in range(len(self.handles)):
            self._go_on(index)

    def _start(self, index: int) -> Any:
        own = self._positions[index * self._threads : (index + 1) * self._threads]
        worker = ray.remote(Worker).options(num_cpus=self._threads)
        return worker.remote(index, self._task, self._servers.handles, own)

    def _go_on(self, index: int) -> None:
        steps = self._run.task.options.cluster.report_steps
        self.running[self.handles[index].run.remote(steps)] = index

    @property
    def reported(self) -> list[Position] | None:
        """Where all threads are; None before each worker's first report."""
        positions = [one for one in self._positions if one is not None]
        return positions if len(positions) == len(self._positions) else None

    def poll(self) -> None:
        """Wait a moment for reports."""
        ready, _ = ray.wait(list(self.running), timeout=_POLL_SECONDS)
        for reference in ready:
            self._hear(reference)

    def drain(self) -> None:
        """Wait for what the workers are doing, and give them nothing more to do."""
        self._draining = True
        while self.running:
            self.poll()

    def _hear(self, reference: Any) -> None:
        index = self.running.pop(reference)
        try:
            report: Report = _get(reference)
        except ray.exceptions.RayActorError as error:
            self._revive(index, error)
            return
        begin = index * self._threads
        self._positions[begin : begin + self._threads] = report.positions
        self._staleness += report.staleness
        self._run.count(report.sums, report.epoch)
        if not report.done and not self._draining:
            self._go_on(index)

    def _revive(self, index: int, error: Exception) -> None:
        self.restarts += 1
        if self.restarts > _MOST_RESTARTS:
            line = str(error).strip().splitlines()[0]
            raise SpeechError(f"training: workers died {self.restarts} times; the last: {line}")
        self._run.say(f"worker {index} died and is started again where it last reported")
        self.handles[index] = self._start(index)
        if not self._draining:
            self._go_on(index)

    def facts(self) -> dict[str, float]:
        """Numbers for the log, since the last time."""
        stale, self._staleness = self._staleness or [0.0], []
        return {
            "staleness_mean": round(float(np.mean(stale)), 3),
            "staleness_max": max(stale),
            "worker_restarts": self.restarts,
            "shard_restarts": sum(status.restarts for status in self._servers.status()),
        }


def _get(references: Any) -> Any:
    """`ray.get`, whose own wrapping of an error is taken off."""
    try:
        return ray.get(references)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        line = str(cause).strip().splitlines()[-1]
        raise SpeechError(
            line if isinstance(cause, SpeechError) else f"training: {type(cause).__name__}: {line}"
        ) from None
