"""Runs a click command with the exit codes and one-line errors that all our commands share.

0: done. 1: failed work (a bad audio file, a damaged model). 2: wrong use (an unknown option, a
missing argument, a model that does not exist). 130: interrupted; 143: terminated. Every error is
one line on standard error, ``COMMAND: what is wrong``, even one that nobody foresaw: its traceback
is shown where the environment variable RECOGNIZER_TRACEBACK is set. What a command prints is UTF-8
whatever the locale is, as its files are.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

import click

from recognizer.data.errors import SpeechError, UsageError, as_speech_error

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""

TERMINATED = 143
"""128 + SIGTERM."""


def run(command: click.Command, name: str) -> NoReturn:
    """Run `command` with the process's arguments and exit."""
    # Names of files are bytes to the system; those that are not UTF-8 go out as they came in.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    status = _status(command, name)
    if status in (INTERRUPTED, TERMINATED) and _threads_at_work():
        # Python would wait until they have finished their recordings, which nobody wants any more.
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


def _threads_at_work() -> bool:
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    return any(not thread.daemon for thread in others)


def report(name: str, message: object) -> None:
    """One line on standard error, `message` after the command's name."""
    print(f"{name}: {' '.join(str(message).split())}", file=sys.stderr, flush=True)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which ends what is under way as an interrupt does."""


def _status(command: click.Command, name: str) -> int:
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        return _invoked(command, name)
    except click.ClickException as error:
        return _wrong_use(error, name)
    except (click.Abort, KeyboardInterrupt) as error:
        return _ended(error, name)
    except UsageError as error:
        report(name, error)
        return 2
    except SpeechError as error:
        report(name, error)
        return 1
    except BrokenPipeError:
        # The reader has what it wanted (`recognize ... | head -1`). Python flushes once more when
        # it ends, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        interrupt = _interrupt_behind(error)
        if interrupt is not None:
            return _ended(interrupt, name)
        if module := _not_compiled(error):
            report(
                name,
                f"the native module {module} is not there: 'make recognize' compiles what "
                "recognising needs, 'make train' the rest, 'pip install .' all",
            )
            return 1
        if os.environ.get("RECOGNIZER_TRACEBACK") and not isinstance(error, OSError):
            raise
        report(name, as_speech_error(error))
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)


def _not_compiled(error: Exception) -> str | None:
    """The native module that an installation for recognition alone lacks."""
    if not isinstance(error, ImportError):
        return None
    found = re.match(r"cannot import name '(_\w+)' from '(recognizer\.\w+)'", str(error))
    return f"{found[2]}.{found[1]}" if found else None


def _ended(error: click.Abort | KeyboardInterrupt, name: str) -> int:
    terminated = isinstance(error, _Terminated)
    with contextlib.suppress(OSError):  # where nobody reads standard error any more
        report(name, "terminated" if terminated else "interrupted")
    return TERMINATED if terminated else INTERRUPTED


def _interrupt_behind(error: BaseException) -> KeyboardInterrupt | None:
    """The interrupt that led to an error.

    One that comes in the middle of the standard library's locking leaves it as RuntimeError:
    release unlocked lock.
    """
    before = error.__context__
    while before is not None and not isinstance(before, KeyboardInterrupt):
        before = before.__context__
    return before


def _invoked(command: click.Command, name: str) -> int:
    """What ``command.main`` does, which answers an interrupt with an empty line of its own."""
    try:
        with command.make_context(name, sys.argv[1:]) as context:
            status = command.invoke(context)
    except click.exceptions.Exit as end:
        status = end.exit_code
    sys.stdout.flush()
    return status if isinstance(status, int) else 0


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated


def _wrong_use(error: click.ClickException, name: str) -> int:
    message = error.format_message()
    if "\n" in message.strip():  # a group without a sub-command: click's message is its help
        print(message, file=sys.stderr)
        return error.exit_code
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else name
    report(path, f"{message} (try '{path} --help')")
    return error.exit_code
