"""Where an utterance of a stream ends: Kaldi's endpointing rules, asked at fixed frames.

A rule is a conjunction of what the decoder knows: the silence at the end of its best path, how
close that path is to a final state, and the length of the utterance. An endpoint is where any of
the rules holds (Kaldi, ``online2/online-endpoint.h``; sherpa-onnx, ``endpoint.h``).

The rules are evaluated after every `EndpointOptions.check_interval` of the utterance and at no
other frame, so that endpoints do not depend on how the audio is cut into pieces. A caller searches
no further than `Endpointer.frames_to_check` allows, and then asks `Endpointer.endpoint`:

    while len(scores):
        count = endpointer.frames_to_check(decoding.num_frames)
        decoding.advance(scores[:count])
        scores = scores[count:]
        if endpointer.endpoint(decoding):
            ...  # finish this utterance, begin the next one with the other scores
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Protocol

from recognizer.data.errors import UsageError


class SearchState(Protocol):
    """What the rules ask of a search in progress, such as `decoding.search.decoding.Decoding`."""

    @property
    def num_frames(self) -> int:
        """Output frames of the utterance that have been searched."""

    @property
    def trailing_silence(self) -> int:
        """Output frames of silence at the end of the best path; all of them where it has no speech.

        Final costs do not take part in choosing the path.
        """

    @property
    def final_relative_cost(self) -> float:
        """Cost of the best path that ends in a final state, less that of the best path of all.

        Natural log, after the acoustic scale; at least 0, and inf where no final state is active.
        """


@dataclass(frozen=True)
class EndpointRule:
    """One rule: it holds where all of its conditions do.

    Attributes:
        must_contain_speech: the best path must hold a phone that is no silence.
        min_trailing_silence: seconds of silence that the best path must end with.
        max_relative_cost: the most that the best final state may cost above the best state, natural
            log; inf: no final state is needed.
        min_utterance_length: seconds that the utterance must have.

    Raises:
        UsageError: a value that is negative or not a number.
    """

    must_contain_speech: bool = True
    min_trailing_silence: float = 1.0
    max_relative_cost: float = math.inf
    min_utterance_length: float = 0.0

    def __post_init__(self) -> None:
        for name in ("min_trailing_silence", "max_relative_cost", "min_utterance_length"):
            value = getattr(self, name)
            if not value >= 0.0:
                raise UsageError(f"{name}: expected a number of at least 0, found {value}")

    def holds(self, trailing_silence: float, relative_cost: float, utterance_length: float) -> bool:
        """Whether all conditions hold; silence and length in seconds."""
        return (
            (utterance_length > trailing_silence or not self.must_contain_speech)
            and trailing_silence >= self.min_trailing_silence
            and relative_cost <= self.max_relative_cost
            and utterance_length >= self.min_utterance_length
        )


@dataclass(frozen=True)
class EndpointOptions:
    """The rules, any of which ends an utterance; defaults are Kaldi's ``rule1`` to ``rule5``.

    Attributes:
        nothing_said: ends a stretch of silence.
        final_state: a short pause after what is very likely a whole sentence.
        likely_final_state: a longer pause after what may be a whole sentence.
        any_state: a pause so long that the sentence does not matter.
        length: ends an utterance that has become too long.
        check_interval: seconds of the utterance from one evaluation to the next; rounded to whole
            output frames, at least one.

    Raises:
        UsageError: a check interval that is not above 0.
    """

    nothing_said: EndpointRule = field(default_factory=lambda: EndpointRule(False, 5.0))
    final_state: EndpointRule = field(default_factory=lambda: EndpointRule(True, 0.5, 2.0))
    likely_final_state: EndpointRule = field(default_factory=lambda: EndpointRule(True, 1.0, 8.0))
    any_state: EndpointRule = field(default_factory=lambda: EndpointRule(True, 2.0))
    length: EndpointRule = field(
        default_factory=lambda: EndpointRule(False, 0.0, min_utterance_length=20.0)
    )
    check_interval: float = 0.12

    def __post_init__(self) -> None:
        if not 0.0 < self.check_interval < math.inf:
            raise UsageError(
                f"check_interval: expected a number of seconds > 0, found {self.check_interval}"
            )

    @property
    def rules(self) -> dict[str, EndpointRule]:
        """The rules by name, in the order in which they are tried."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, EndpointRule)}


ENDPOINTING = EndpointOptions()
"""The rules where nobody names others."""


class Endpointer:
    """Evaluates rules; it has no state of its own and may be shared by streams.

    Args:
        options: the rules.
        frame_shift: seconds of an output frame (`AcousticModel.output_frame_shift`).
    """

    def __init__(self, options: EndpointOptions, frame_shift: float) -> None:
        self.options = options
        self.frame_shift = frame_shift
        self._rules = options.rules
        self._interval = max(1, round(options.check_interval / frame_shift))
        # Trailing silence is a whole number of frames: 50 x 0.01 may be less than 0.5 in floats.
        self._tolerance = 1e-3 * frame_shift

    def frames_to_check(self, num_frames: int) -> int:
        """Output frames to search before the rules are evaluated next, at least 1.

        Args:
            num_frames: frames of the utterance that have been searched.
        """
        return self._interval - num_frames % self._interval

    def endpoint(self, search: SearchState) -> str | None:
        """The name of the first rule that ends the utterance here; None where it goes on.

        Args:
            search: of this utterance. Between the frames at which the rules are evaluated the
                answer is None.
        """
        frames = search.num_frames
        if frames == 0 or frames % self._interval:
            return None
        silence_frames = search.trailing_silence
        length = frames * self.frame_shift + self._tolerance
        silence = length if silence_frames >= frames else silence_frames * self.frame_shift
        silence = min(length, silence + self._tolerance)
        cost = search.final_relative_cost
        for name, rule in self._rules.items():
            if rule.holds(silence, cost, length):
                return name
        return None
