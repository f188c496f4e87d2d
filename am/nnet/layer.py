"""What a layered network must know of its layers, whatever their kind."""

from __future__ import annotations

from abc import ABC, abstractmethod

from recognizer.data.errors import UsageError

Shapes = dict[str, tuple[int, ...]]


class LayerOptions(ABC):
    """What a network must know of a layer."""

    kind: str

    @property
    @abstractmethod
    def stride(self) -> int:
        """Frames from one output to the next."""

    @property
    @abstractmethod
    def right_context(self) -> int:
        """Frames by which an output is later than what it is about."""

    @property
    def whole_utterances(self) -> bool:
        """Whether an output may depend on every frame of the utterance, also on the last."""
        return False

    @abstractmethod
    def output_width(self, inputs: int) -> int:
        """Outputs for each frame.

        Args:
            inputs: D.

        Raises:
            UsageError: the layer cannot have such inputs.
        """

    @abstractmethod
    def shapes(self, inputs: int) -> Shapes:
        """Shape of each tensor of the layer, by the name that it has in a file."""

    def _refuse(self, name: str, expected: str, found: object) -> None:
        raise UsageError(f"{self.kind} layer: {name}: expected {expected}, found {found!r}")

    def _check_integer(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self._refuse(name, f"an integer >= {least}", value)

    def _check_least_0(self, name: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not 0 <= value < float("inf"):
            self._refuse(name, "a number >= 0", value)

    def _check_above_0(self, name: str) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not 0 < value < float("inf"):
            self._refuse(name, "a number > 0", value)

    def _check_flag(self, name: str) -> None:
        if not isinstance(getattr(self, name), bool):
            self._refuse(name, "true or false", getattr(self, name))


def norm_shapes(width: int) -> Shapes:
    """Tensors of batch normalisation with a scale for each of so many values.

    A sum y becomes scale (y - mean) / sqrt(variance + epsilon), to which the layer's ``bias`` is
    added: see `recognizer.am.nnet.folding`.
    """
    return {f"norm.{name}": (width,) for name in ("mean", "variance", "scale")}
