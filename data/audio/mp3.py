"""MPEG audio (mp3): frames found here, decoded by dr_mp3 (in the package miniaudio).

An mp3 file is a row of frames, and nothing tells how many. libsndfile guesses the length from the
first frames, and so loses the rest of a file of variable bit rate, or expects samples that never
were. The frames are therefore counted here (ISO/IEC 11172-3, 2.4.1; 13818-3 for the lower rates).
A first frame with a Xing, Info or VBRI header holds no sound but says how many frames follow, and
LAME's extension of it how many samples the encoder added at both ends. libsndfile's decoder also
prints messages to the terminal, which dr_mp3 does not.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

import numpy as np

from recognizer.data.audio.file_bytes import FileBytes
from recognizer.data.audio.limits import MAX_UNDECODABLE
from recognizer.data.audio.section import Block
from recognizer.data.errors import SpeechError

_LEAD_FRAMES = 32  # frames before a part: it refers back at most 511 bytes (13818-3)
_BLOCK_FRAMES = 1500  # frames that are decoded at a time: 39 s at 44.1 kHz
_SYNC = 0xFFE0  # frames begin with eleven ones
_SEARCH = 4096  # bytes in which the first frame must begin: more than any frame has
_PROBE = 4 * _SEARCH  # and those in which the next ones follow it
_TAGS = (b"TAG", b"APE", b"LYR", b"ID3")  # how the tags begin that follow or separate recordings
_OTHER_CONTAINERS = (b"RIFF", b"RF64", b"riff", b"FORM", b"caff", b"OggS", b"fLaC", b".snd")
_WAV_MP3 = b"\x55\x00"  # the format in a wav file's header
_DECODER_DELAY = 529  # samples that every decoder adds at the beginning (528 and the first one)

_KBPS = {  # by (version is 1, layer)
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


@dataclass(frozen=True)
class _Header:
    """What the header of a frame says.

    Attributes:
        length: bytes of the frame.
        samples: samples in each channel.
        rate: samples per second.
        channels: 1 or 2.
        version: 3 for MPEG-1, 2 for MPEG-2, 0 for MPEG-2.5.
        layer: 1, 2 or 3.
    """

    length: int
    samples: int
    rate: int
    channels: int
    version: int
    layer: int

    @property
    def stream(self) -> tuple[int, int, int, int]:
        """What frames of one stream have in common."""
        return self.rate, self.channels, self.version, self.layer


@lru_cache(maxsize=1024)
def _header(word: bytes) -> _Header | None:
    """The header in four bytes, or None if they are none (or one without a bit rate)."""
    if len(word) < 4 or int.from_bytes(word[:2], "big") < _SYNC:
        return None
    version, layer = word[1] >> 3 & 3, 4 - (word[1] >> 1 & 3)
    bit_rate, rate, padding = word[2] >> 4, word[2] >> 2 & 3, word[2] >> 1 & 1
    if version == 1 or layer == 4 or not 1 <= bit_rate <= 14 or rate == 3:
        return None
    rate = _RATES[version][rate]
    bits = _KBPS[version == 3, layer][bit_rate - 1] * 1000
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    slot = 4 if layer == 1 else 1
    length = (samples // 8 // slot * bits // rate + padding) * slot
    return _Header(length, samples, rate, 1 if word[3] >> 6 == 3 else 2, version, layer)


class _Frames:
    """Frames of one stream: where each begins in the file, and how long it is.

    A recording of hours has millions of them.
    """

    def __init__(self) -> None:
        self._begins, self._lengths = array("Q"), array("H")
        self.header: _Header | None = None

    def __len__(self) -> int:
        return len(self._begins)

    def append(self, begin: int, header: _Header) -> None:
        self._begins.append(begin)
        self._lengths.append(header.length)
        self.header = header

    def read(self, content: FileBytes, first: int, last: int) -> bytes:
        """The bytes of the frames from `first` up to `last`."""
        spans = zip(self._begins[first:last], self._lengths[first:last], strict=True)
        return b"".join(content[begin : begin + length] for begin, length in spans)


class Mp3Section:
    """Frames that follow each other with one sample rate and number of channels.

    Args:
        name: for messages.
        content: the file.
        frames: the frames of sound, at least one.
        skipped: samples that the encoder added before the sound.
        padded: samples that it added after it.
    """

    holds_floats = False

    def __init__(
        self, name: str, content: FileBytes, frames: _Frames, skipped: int, padded: int
    ) -> None:
        self._name, self._content, self._mp3_frames = name, content, frames
        self._skipped = skipped
        header = frames.header
        assert header is not None
        self.rate, self.channels, self._frame_samples = header.rate, header.channels, header.samples
        self.frames = max(0, len(frames) * header.samples - skipped - padded)
        self.seconds = self.frames / self.rate

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[Block]:
        """See `Section.blocks`."""
        last = self.frames if last is None else last
        begin, end = self._skipped + first, self._skipped + last
        each = self._frame_samples
        frame, last_frame = begin // each, -(-end // each)
        undecodable, limit = 0, MAX_UNDECODABLE * (last_frame - frame) * each
        while frame < last_frame:
            stop = min(frame + _BLOCK_FRAMES, last_frame)
            lead = max(0, frame - _LEAD_FRAMES)
            block, missing = self._decode(lead, stop)
            undecodable += missing
            if undecodable > limit:
                raise SpeechError(
                    f"{self._name}: damaged: of {(last_frame - begin // each) * each} samples, "
                    f"could not decode {undecodable}"
                )
            offset = lead * each
            yield block[max(begin, frame * each) - offset : min(end, stop * each) - offset]
            frame = stop

    def _decode(self, first: int, last: int) -> tuple[Block, int]:
        """The samples of some frames, and how many of them too many could not be decoded."""
        import miniaudio  # it imports much that other formats do not need

        expected = (last - first) * self._frame_samples
        try:
            decoded = miniaudio.mp3_read_f32(self._mp3_frames.read(self._content, first, last))
        except miniaudio.DecodeError as error:
            raise SpeechError(f"{self._name}: damaged: no frame can be decoded") from error
        samples = np.frombuffer(decoded.samples, np.float32).reshape(-1, decoded.nchannels)
        missing = max(0, expected - len(samples))
        # The frames beyond decoding are mostly the first: what they refer to is not there.
        silence = np.zeros((missing, samples.shape[1]), np.float32)
        block = np.concatenate([silence, samples]) if missing else samples
        return block, max(0, missing - _LEAD_FRAMES * self._frame_samples)


@dataclass(frozen=True)
class _Information:
    """What a Xing, Info or VBRI header says.

    Attributes:
        frames: frames of sound that follow, or None.
        delay: samples that the encoder added before the sound, or None without LAME's extension.
        padding: samples that it added after the sound.
    """

    frames: int | None = None
    delay: int | None = None
    padding: int = 0


def mp3_sections(name: str, stream: BinaryIO) -> list[Mp3Section] | None:
    """The sections of an mp3 file, or None if it is none.

    Args:
        name: for messages.
        stream: seekable.

    Raises:
        SpeechError: the file ends within a frame, or before the number of frames that its Xing,
            Info or VBRI header tells.
    """
    stream.seek(0)
    head = stream.read(_PROBE)
    if head[:4] in _OTHER_CONTAINERS and head[20:22] != _WAV_MP3:
        return None
    # A wav file may hold mp3 frames in place of samples; its header is passed over as others are.
    if head[:3] != b"ID3" and _first_frame(head, 0, _SEARCH) is None:
        return None
    content = FileBytes(stream)
    begin = _after_tag(content, 0)
    position = _first_frame(content, begin, begin + _SEARCH)
    if position is None:
        return None
    sections: list[Mp3Section] = []
    frames = _Frames()
    information = _Information()
    while position is not None:
        header = _header(content[position : position + 4])
        assert header is not None
        end = position + header.length
        if end > len(content):
            raise SpeechError(
                f"{name}: cut short: expected a last frame of {header.length} bytes, "
                f"found {len(content) - position}"
            )
        found = _read_information(content[position:end], header)
        if frames.header and (found is not None or header.stream != frames.header.stream):
            sections.append(_section(name, content, frames, information))
            frames, information = _Frames(), _Information()
        if found is not None:
            information = found
        else:
            frames.append(position, header)
        position = _following(content, end, header)
    if frames:
        sections.append(_section(name, content, frames, information))
    return sections or None


def might_be_mp3(stream: BinaryIO) -> bool:
    """Whether libsndfile would try to read a file as mp3: it then prints what goes wrong."""
    content = FileBytes(stream)
    if content[:4] == b"RIFF":
        return content[20:22] == _WAV_MP3
    begin = _after_tag(content, 0)
    return int.from_bytes(content[begin : begin + 2], "big") >= _SYNC


def _section(
    name: str, content: FileBytes, frames: _Frames, information: _Information
) -> Mp3Section:
    expected = information.frames
    # Some encoders count the frame of the header itself.
    if expected is not None and len(frames) < expected - 1:
        raise SpeechError(f"{name}: cut short: expected {expected} frames, found {len(frames)}")
    if information.delay is None:
        return Mp3Section(name, content, frames, 0, 0)
    skipped = information.delay + _DECODER_DELAY
    padded = max(0, information.padding - _DECODER_DELAY)
    if expected is None or len(frames) > expected:  # frames were added after the padding
        padded = 0
    return Mp3Section(name, content, frames, skipped, padded)


def _read_information(frame: bytes, header: _Header) -> _Information | None:
    """The Xing, Info or VBRI header that a frame holds in place of sound."""
    if header.layer != 3:
        return None
    if frame[36:40] == b"VBRI":
        return _Information(int.from_bytes(frame[50:54], "big"))
    side = (
        (17 if header.channels == 1 else 32)
        if header.version == 3
        else (9, 17)[header.channels - 1]
    )
    at = 4 + side
    if frame[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    at += 8
    count = int.from_bytes(frame[at : at + 4], "big") if flags & 1 else None
    at += 4 * bool(flags & 1) + 4 * bool(flags & 2) + 100 * bool(flags & 4) + 4 * bool(flags & 8)
    if frame[at : at + 4] not in (b"LAME", b"Lavf", b"Lavc") or len(frame) < at + 24:
        return _Information(count)
    delay_padding = int.from_bytes(frame[at + 21 : at + 24], "big")
    return _Information(count, delay_padding >> 12, delay_padding & 0xFFF)


def _following(content: FileBytes, position: int, last: _Header) -> int | None:
    """Where the next frame begins, after whatever is no frame; None at the end."""
    header = _header(content[position : position + 4])
    if header is not None and header.stream == last.stream:
        return position
    after = _after_tag(content, position)
    return _first_frame(content, after, len(content))


def _first_frame(content: bytes | FileBytes, begin: int, end: int) -> int | None:
    """The first place in [begin, end) where several frames follow each other, or the last one."""
    position = content.find(b"\xff", begin, end)
    while position >= 0:
        if _is_stream(content, position):
            return position
        position = content.find(b"\xff", position + 1, end)
    return None


def _is_stream(content: bytes | FileBytes, position: int) -> bool:
    """Whether frames of one stream begin here: three, or all up to the end or to a tag."""
    first = _header(content[position : position + 4])
    if first is None:
        return False
    position += first.length
    for _ in range(2):
        if position == len(content) or content[position : position + 3] in _TAGS:
            return True
        header = _header(content[position : position + 4])
        if header is None or header.stream != first.stream:
            return False
        position += header.length
    return True


def _after_tag(content: FileBytes, position: int) -> int:
    """Past the ID3v2 tags that begin here (id3.org, id3v2.4.0-structure, section 3)."""
    header = content[position : position + 10]
    while header[:3] == b"ID3" and len(header) == 10:
        size = 0
        for byte in header[6:]:
            size = size << 7 | byte & 0x7F
        position += 10 + size + (10 if header[5] & 0x10 else 0)
        header = content[position : position + 10]
    return position
