"""Runs a click command with the exit codes and one-line errors that all our commands share.

0: done. 1: failed work (a bad audio file, a damaged model). 2: wrong use (an unknown option, a
missing argument, a model that does not exist). 130: interrupted. Every error is one line on
standard error, ``COMMAND: what is wrong``.
"""

from __future__ import annotations

import io
import os
import sys
from typing import NoReturn

import click

from data.errors import SpeechError, UsageError

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""


def run(command: click.Command, name: str) -> NoReturn:
    """Run `command` with the process's arguments and exit."""
    # Names of files are bytes to the system; those that are not UTF-8 go out as they came in.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")
    sys.exit(_status(command, name))


def report(name: str, message: object) -> None:
    """One line on standard error, `message` after the command's name."""
    print(f"{name}: {' '.join(str(message).split())}", file=sys.stderr, flush=True)


def _status(command: click.Command, name: str) -> int:
    try:
        status = command.main(prog_name=name, standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        return _wrong_use(error, name)
    except (click.Abort, KeyboardInterrupt):
        report(name, "interrupted")
        return INTERRUPTED
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
    except OSError as error:
        report(name, error)
        return 1
    return status if isinstance(status, int) else 0


def _wrong_use(error: click.ClickException, name: str) -> int:
    message = error.format_message()
    if "\n" in message.strip():  # a group without a sub-command: click's message is its help
        print(message, file=sys.stderr)
        return error.exit_code
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else name
    report(path, f"{message} (try '{path} --help')")
    return error.exit_code
