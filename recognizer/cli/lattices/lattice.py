"""``recognizer lattice``: the lattices of a data set, for other programs."""

from __future__ import annotations

import click


@click.command()
@click.argument("data", type=click.Path())
@click.option(
    "--output-dir", metavar="DIR", type=click.Path(), required=True, help="Where lattices go."
)
@click.option(
    "--model", metavar="DIR", type=click.Path(), help="A model directory [default: English]."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["kaldi", "slf"]),
    default="kaldi",
    show_default=True,
    help="One text archive of Kaldi's, or a file of HTK's SLF for each utterance.",
)
@click.option(
    "--first-pass", is_flag=True, help="Lattices with the first pass's language model scores."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Utterances recognised at the same time.",
)
@click.option("--allow-pipes", is_flag=True, help="Run the commands that wav.scp names.")
def lattice(
    data: str,
    output_dir: str,
    model: str | None,
    form: str,
    first_pass: bool,
    threads: int,
    allow_pipes: bool,
) -> int:
    """Recognise the utterances of DATA and write their word lattices.

    DATA is a Kaldi data directory (wav.scp, text, ...), a directory with Lhotse's manifests of
    recordings and supervisions (or the latter file), or a LibriSpeech tree. With --format kaldi
    DIR holds lattices.txt.gz, a text archive of CompactLattices with word ids, words.txt, the ids'
    words, and lattices.json, which recognizer keywords and recognizer combine need; with --format
    slf a file UTTERANCE.slf.gz for each utterance. Scores are unscaled: for Kaldi's tools the
    acoustic scale is the model's (recognizer model show). Lattices of a model of pieces of words
    hold pieces, as recognizer lm units join takes them. In rescored lattices the language model's
    scale and the word insertion penalty are in the graph scores.
    An utterance that cannot be read is reported; the exit code is then 1.

    \b
    Examples:
      recognizer lattice data/test --output-dir lattices
      recognizer lattice data/test --output-dir lattices --format slf --first-pass
    """
    from collections.abc import Iterator
    from pathlib import Path

    from recognizer.cli.run import report
    from recognizer.data.corpora.corpus import Utterance, read_corpus
    from recognizer.data.errors import SpeechError, as_speech_error
    from recognizer.data.io.console import progress_bar
    from recognizer.data.io.files import check_directory, replace_text
    from recognizer.data.parallel.threads import thread_map
    from recognizer.decoding.lattice.kaldi import write_kaldi_lattices
    from recognizer.decoding.lattice.lattice import CompactLattice
    from recognizer.decoding.lattice.slf import write_slf
    from recognizer.lattices.settings import LatticeSettings
    from recognizer.recognizer import Recognizer

    target = Path(output_dir)
    check_directory(target)
    corpus = read_corpus(data, allow_pipes=allow_pipes)
    if form == "slf":
        for utterance in corpus:
            if Path(utterance.id).name != utterance.id:
                raise SpeechError(
                    f"utterance {utterance.id}: expected an id that can be a file's name, or "
                    "--format kaldi"
                )
    recognizer = Recognizer(model)
    failed = 0

    def work(utterance: Utterance) -> tuple[str, CompactLattice | SpeechError]:
        try:
            found = recognizer.first_pass(recognizer.acoustic_scores(utterance.samples()))
            return utterance.id, found if first_pass else recognizer.second_pass(found).lattice
        except Exception as error:
            return utterance.id, as_speech_error(error)

    def lattices() -> Iterator[tuple[str, CompactLattice]]:
        nonlocal failed
        with progress_bar(str(data), len(corpus)) as advance:
            for name, found in thread_map(work, corpus, threads):
                advance()
                if isinstance(found, SpeechError):
                    report("recognizer lattice", f"{name}: {found}")
                    failed += 1
                else:
                    yield name, found

    target.mkdir(parents=True, exist_ok=True)
    if form == "kaldi":
        write_kaldi_lattices(target / "lattices.txt.gz", lattices())
        with replace_text(target / "words.txt") as stream:
            words = recognizer.bundle.graph.words
            stream.writelines(f"{word} {index}\n" for index, word in enumerate(words))
        LatticeSettings.of_recognizer(recognizer).write(target)
    else:
        shift = recognizer.bundle.acoustic_model.output_frame_shift
        scale = recognizer.search.acoustic_scale
        for name, found in lattices():
            write_slf(target / f"{name}.slf.gz", name, found, shift, scale)
    return 1 if failed else 0
