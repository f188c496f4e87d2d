"""``recognizer serve``: recognition over HTTP and websockets, and a page for people."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from recognizer.cli.adaptation import adaptation_options
from recognizer.cli.run import report
from recognizer.data.errors import SpeechError, UsageError

if TYPE_CHECKING:
    from recognizer.vocabulary.adaptation import Adaptation

_NAME = "recognizer serve"
_TOKEN_VARIABLE = "RECOGNIZER_TOKEN"
_PACKAGES = ("prometheus_client", "python_multipart", "starlette", "uvicorn", "websockets")


@click.command()
@click.option(
    "--model", metavar="DIR", type=click.Path(), help="A model directory [default: English]."
)
@adaptation_options()
@click.option("--host", help="Address to listen on [default: 127.0.0.1].")
@click.option(
    "--port", type=int, metavar="N", help="Port to listen on, 0 for any free one [default: 2700]."
)
@click.option(
    "--token-file",
    type=click.Path(),
    metavar="FILE",
    help=f"Serve only those who send the token in FILE's first line [default: that of the "
    f"environment variable {_TOKEN_VARIABLE}, or everyone].",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Let scripts of this other page, such as https://example.org, use the server.",
)
@click.option(
    "--threads", type=int, metavar="N", help="Recognitions at a time [default: all processors]."
)
@click.option("--max-streams", type=int, metavar="N", help="Websockets at a time [default: 100].")
@click.option("--max-uploads", type=int, metavar="N", help="Uploads at a time [default: 16].")
@click.option(
    "--max-upload-bytes", type=int, metavar="N", help="Size of an upload [default: 512 MiB]."
)
@click.option(
    "--max-audio-seconds",
    type=float,
    metavar="N",
    help="Length of an upload's audio, and of a stream's [default: 4 hours].",
)
@click.option(
    "--max-message-bytes",
    type=int,
    metavar="N",
    help="Size of a websocket message [default: 1 MiB].",
)
@click.option(
    "--idle-seconds",
    type=float,
    metavar="N",
    help="How long a client may send nothing, or read nothing [default: 60].",
)
@click.option(
    "--drain-seconds",
    type=float,
    metavar="N",
    help="How long what is under way may go on after SIGTERM [default: 30].",
)
def serve(
    model: str | None,
    adaptation: Adaptation,
    token_file: str | None,
    origins: tuple[str, ...],
    **given: str | int | float | None,
) -> None:
    """Serve a page, OpenAI's transcription API and Vosk's websocket.

    The page is at /, a description of the paths at /docs. Only this machine can connect unless
    --host says otherwise; then use a token, and a proxy that encrypts (browsers give the microphone
    to encrypted pages only). SIGTERM lets streams and uploads finish and then ends the server.

    \b
    Examples:
      recognizer serve
      recognizer serve --port 8080 --max-streams 20
      recognizer serve --host 0.0.0.0 --token-file token.txt
    """
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise SpeechError(
            f"expected the packages of `pip install 'recognizer[server]'`, "
            f"found no {', '.join(missing)}"
        )
    from recognizer.recognizer import Recognizer
    from recognizer.serving.server import Server, listen
    from recognizer.serving.shared.options import ServerOptions
    from recognizer.serving.shared.service import Service

    chosen = {name: value for name, value in given.items() if value is not None}
    options = ServerOptions(token=_token(token_file), origins=origins, **chosen)  # type: ignore[arg-type]
    with listen(options) as listening:  # before the model is read, which takes longer
        recognizer = Recognizer(model, adaptation=adaptation)
        service = Service(recognizer, options, lambda message: report(_NAME, message))
        Server(service).run([listening])


def _token(file: str | None) -> str | None:
    if file is None:
        return os.environ.get(_TOKEN_VARIABLE)
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read: {error}") from None
    if not lines or not lines[0].strip():
        raise UsageError(f"{file}: expected a token in the first line, found none")
    return lines[0].strip()
