"""``recognizer lm``: models estimated, pruned, mixed, tested and converted as a user does it."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import zstandard

from recognizer.cli.lm.main import lm
from recognizer.lm.arpa.files import read_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.model.interpolate import interpolate_ngrams
from recognizer.lm.model.prune import history_probs, prune_ngrams, pruning_losses
from recognizer.lm.ngram.model import NgramModel

WHO = ("the cook", "my aunt", "the pilot", "a guest", "the gull")
DID = ("peeled", "watched", "tasted", "followed", "burnt")
WHAT = ("the onions", "a pie", "the ferry", "two boats", "the soup")
WHEN = ("at noon", "slowly", "in the fog", "again", "")


def sentences(seed: int, count: int = 300) -> list[str]:
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(5)]
    if seed % 2:
        weights.reverse()
    return [
        " ".join(rng.choices(part, weights)[0] for part in (WHO, DID, WHAT, WHEN)).strip()
        for _ in range(count)
    ]


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def ngrams(model: NgramModel) -> dict[tuple[str, ...], tuple[float, float]]:
    return {
        tuple(model.vocabulary[i] for i in ids): (float(prob), float(backoff))
        for order, level in enumerate(model.levels, start=1)
        for ids, prob, backoff in zip(
            model.ngrams(order), level.log10_probs, level.log10_backoffs, strict=True
        )
    }


def same(one: NgramModel, other: NgramModel, *, tolerance: float = 6e-7) -> bool:
    expected, found = ngrams(one), ngrams(other)
    return expected.keys() == found.keys() and all(
        found[ngram] == pytest.approx(values, abs=tolerance) for ngram, values in expected.items()
    )


@pytest.fixture
def texts(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two kinds of text, and one that has something of both and unknown words."""
    dev = sentences(3, 40) + sentences(4, 60) + ["the walrus tasted the oysters", "", "the <unk>"]
    return (
        write(tmp_path / "one.txt", sentences(1)),
        write(tmp_path / "two.txt", sentences(2)),
        write(tmp_path / "dev.txt", dev),
    )


@pytest.fixture
def models(texts, tmp_path: Path, command) -> tuple[Path, Path]:
    paths = (tmp_path / "one.arpa", tmp_path / "two.arpa.gz")
    for text, path in zip(texts, paths, strict=False):
        ran = command(
            "recognizer",
            "lm",
            "estimate",
            "--order",
            3,
            "--discount-fallback",
            "--output",
            path,
            text,
        )
        assert (ran.code, ran.err) == (0, "")
    return paths


def failed(ran, code: int, message: str) -> None:
    assert ran.code == code
    assert ran.err.count("\n") == 1, ran.err
    assert message in ran.err


@pytest.mark.parametrize("name", lm.commands)
def test_every_command_shows_a_real_example(command, name: str) -> None:
    ran = command("recognizer", "lm", name, "--help")
    assert ran.code == 0
    assert re.search(rf"^ +recognizer lm {name} \S", ran.out, flags=re.M)


def test_estimate(texts, models, tmp_path, command) -> None:
    options = EstimateOptions(3, discount_fallback=(0.5, 1.0, 1.5))
    expected = estimate_ngrams(sentences(1), options=options)
    assert same(expected.model, read_arpa(models[0]))
    both = tmp_path / "both.ngram"
    ran = command(
        "recognizer", "lm", "estimate", *texts[:2], "--order", 2, "--discount-fallback",
        "--output", both,
    )  # fmt: skip
    assert ran.code == 0
    options = EstimateOptions(2, discount_fallback=(0.5, 1.0, 1.5))
    expected = estimate_ngrams(sentences(1) + sentences(2), options=options)
    found = NgramAutomaton.open(both)
    lines = [line.split() for line in sentences(5, 20)]
    reference = NgramAutomaton.from_model(expected.model)
    assert found.sentence_log_probs(lines) == pytest.approx(reference.sentence_log_probs(lines))
    first, second = ran.out.splitlines()
    assert first.startswith(f"1-grams\t{expected.model.counts[0]}\tdiscounts ")
    assert second.split("\t")[:2] == ["2-grams", str(expected.model.counts[1])]
    assert float(second.split()[3]) == pytest.approx(expected.discounts[1][0], abs=1e-4)


@pytest.mark.parametrize(
    ("suffix", "packed"),
    [
        (".gz", gzip.compress),
        (".xz", lzma.compress),
        (".zst", lambda raw: zstandard.ZstdCompressor().compress(raw)),
    ],
)
def test_estimate_reads_compressed_text(texts, models, tmp_path, command, suffix, packed) -> None:
    path = tmp_path / f"packed.txt{suffix}"
    path.write_bytes(packed(texts[0].read_bytes()))
    out = tmp_path / "again.arpa"
    ran = command(
        "recognizer", "lm", "estimate", path, "--order", 3, "--discount-fallback", "--output", out
    )
    assert ran.code == 0
    assert out.read_bytes() == models[0].read_bytes()


def standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_estimate_reads_standard_input(texts, models, tmp_path, command, monkeypatch) -> None:
    standard_input(monkeypatch, texts[0].read_bytes())
    out = tmp_path / "again.arpa"
    ran = command(
        "recognizer", "lm", "estimate", "-", "--order", 3, "--discount-fallback", "--output", out
    )
    assert ran.code == 0
    assert out.read_bytes() == models[0].read_bytes()


def test_estimate_with_vocabulary_cutoffs_and_smoothing(texts, tmp_path, command) -> None:
    words = write(tmp_path / "words.txt", ["<s>", "the", "pie", "", "unseen", "soup"])
    out = tmp_path / "out.arpa"
    common = ("recognizer", "lm", "estimate", texts[0], "--discount-fallback", "--output", out)
    ran = command(
        *common, "--order", 3, "--vocabulary", words, "--cutoffs", "0,1", "--smoothing", "absolute"
    )
    assert ran.code == 0
    options = EstimateOptions(
        3, cutoffs=(0, 1), discount_fallback=(0.5, 1.0, 1.5), continuation_counts=False
    )
    vocabulary = ("the", "pie", "unseen", "soup")
    assert same(estimate_ngrams(sentences(1), vocabulary, options).model, read_arpa(out))
    ran = command(*common, "--order", 1, "--min-count", 60)
    assert ran.code == 0
    counts = {word: " ".join(sentences(1)).split().count(word) for word in ("the", "pie", "peeled")}
    known = read_arpa(out).vocabulary
    assert {word for word, count in counts.items() if count >= 60} == set(counts) & set(known)
    assert 0 < len(set(counts) & set(known)) < len(counts)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a b\nc <s> d\n", "bad.txt:2: expected words, found <s>"),
        (b"a b\nc \xff d\n", "bad.txt:2: expected UTF-8 text, found byte 0xff"),
        (b"", "bad.txt: expected sentences, found none"),
        (b"a\n", "Kneser-Ney discounts of 1-grams: expected counts of natural text"),
    ],
)
def test_estimate_refuses_bad_text(tmp_path, command, content, message) -> None:
    bad = tmp_path / "bad.txt"
    bad.write_bytes(content)
    failed(
        command("recognizer", "lm", "estimate", bad, "--output", tmp_path / "x.arpa"), 1, message
    )
    assert [path.name for path in tmp_path.iterdir()] == ["bad.txt"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a </s>\n", "standard input:1: expected words, found </s>"),
        (b"a\n\xc3\n", "standard input:2: expected UTF-8 text, found byte 0xc3"),
    ],
)
def test_estimate_refuses_bad_standard_input(
    tmp_path, command, monkeypatch, content, message
) -> None:
    standard_input(monkeypatch, content)
    failed(
        command("recognizer", "lm", "estimate", "-", "--output", tmp_path / "x.arpa"), 1, message
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nb\na\n", "words.txt:3: expected distinct words, found 'a' again (first on line 1)"),
        ("a\nb c\n", "words.txt:2: expected one word, found 2"),
    ],
)
def test_bad_vocabulary(texts, tmp_path, command, content, message) -> None:
    words = tmp_path / "words.txt"
    words.write_text(content)
    out = tmp_path / "x.arpa"
    ran = command("recognizer", "lm", "estimate", texts[0], "--vocabulary", words, "--output", out)
    failed(ran, 1, message)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["estimate", "TEXT", "--output", "x.lm"], "x.lm: expected a name that ends in .arpa,"),
        (["estimate", "TEXT", "--output", "no/x.arpa"], "expected a directory no, found none"),
        (["estimate", "TEXT", "--output", "x.arpa", "--order", "9"], "Invalid value"),
        (["estimate", "TEXT", "--output", "x.arpa", "--cutoffs", "0,a"], "found '0,a'"),
        (["estimate", "TEXT", "--output", "x.arpa", "--cutoffs", "1,0"], "do not decrease"),
        (["estimate", "TEXT", "--output", "x.arpa", "--bits", "8"], "--bits does not go with"),
        (["estimate", "TEXT", "--output", "x.ngram", "--decimals", "4"], "--decimals does not"),
        (
            ["estimate", "TEXT", "--output", "x.arpa", "--min-count", "2", "--vocabulary", "w"],
            "either --vocabulary or --min-count",
        ),
        (["estimate", "-", "-", "--output", "x.arpa"], "standard input can be read once"),
        (["prune", "MODEL", "--output", "x.arpa"], "either --threshold or --ngrams"),
        (
            ["prune", "MODEL", "--output", "x.arpa", "--ngrams", "5", "--threshold", "1"],
            "either --threshold or --ngrams",
        ),
        (["prune", "MODEL", "--output", "x.arpa", "--ngrams", "-5"], "Invalid value"),
        (["interpolate", "MODEL", "MODEL", "--output", "x.arpa"], "either --dev or --weights"),
        (
            ["interpolate", "MODEL", "MODEL", "--output", "x.arpa", "--weights", "1"],
            "expected 2 --weights, found 1",
        ),
        (
            ["interpolate", "MODEL", "MODEL", "--output", "x.arpa", "--weights", "1,1"],
            "expected a sum of 1",
        ),
        (["convert", "MODEL", "--output", "x.ngram", "--bits", "8", "--layout", "fast"], "bits:"),
    ],
)
def test_wrong_use(texts, models, tmp_path, command, monkeypatch, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    filled = [{"TEXT": texts[0], "MODEL": models[0]}.get(word, word) for word in arguments]
    failed(command("recognizer", "lm", *filled), 2, message)
    assert set(tmp_path.iterdir()) == before


def test_prune(texts, models, tmp_path, command) -> None:
    whole = read_arpa(models[0])
    out = tmp_path / "small.arpa"
    ran = command("recognizer", "lm", "prune", models[0], "--ngrams", 60, "--output", out)
    assert (ran.code, ran.err) == (0, "")
    small = read_arpa(out)
    assert same(prune_ngrams(whole, ngrams=60), small)
    assert sum(small.counts[1:]) <= 60
    assert ran.out.splitlines() == [
        f"{order}-grams\t{count}\tof {total}"
        for order, count, total in zip((1, 2, 3), small.counts, whole.counts, strict=True)
    ]
    ran = command("recognizer", "lm", "prune", models[0], "--threshold", 1e-4, "--output", out)
    assert ran.code == 0
    assert same(prune_ngrams(whole, threshold=1e-4), read_arpa(out))
    ran = command("recognizer", "lm", "prune", models[0], "--threshold", 1e9, "--output", out)
    assert ran.out.splitlines()[1:] == [
        f"2-grams\t0\tof {whole.counts[1]}",
        f"3-grams\t0\tof {whole.counts[2]}",
    ]


def test_prune_with_history_lm(texts, models, tmp_path, command) -> None:
    absolute, out = tmp_path / "absolute.arpa", tmp_path / "small.arpa"
    ran = command(
        "recognizer", "lm", "estimate", texts[0], "--order", 2, "--smoothing", "absolute",
        "--discount-fallback", "--output", absolute,
    )  # fmt: skip
    assert ran.code == 0
    ran = command(
        "recognizer", "lm", "prune", models[0], "--ngrams", 60, "--history-lm", absolute,
        "--output", out,
    )  # fmt: skip
    assert ran.code == 0
    whole = read_arpa(models[0])
    losses = pruning_losses(whole, history_probs(whole, read_arpa(absolute)))
    assert same(prune_ngrams(whole, ngrams=60, losses=losses), read_arpa(out))


def test_interpolate_tunes_weights(texts, models, tmp_path, command) -> None:
    out = tmp_path / "mixed.arpa"
    ran = command("recognizer", "lm", "interpolate", *models, "--dev", texts[2], "--output", out)
    assert (ran.code, ran.err) == (0, "")
    header, *rows = (line.split("\t") for line in ran.out.splitlines()[:4])
    table = [dict(zip(header, row, strict=True)) for row in rows]
    assert [row["model"] for row in table] == [str(models[0]), str(models[1]), str(out)]
    weights = [float(row["weight"]) for row in table[:2]]
    assert sum(weights) == pytest.approx(1, abs=1e-4)
    perplexities = [float(row["perplexity"]) for row in table]
    assert perplexities[2] < min(perplexities[:2])
    assert {row["oov"] for row in table} == {"3"}
    mixture = interpolate_ngrams([read_arpa(path) for path in models], weights)
    assert same(mixture, read_arpa(out), tolerance=3e-3)
    shown = [f"{order}-grams\t{count}" for order, count in enumerate(mixture.counts, start=1)]
    assert ran.out.splitlines()[4:] == shown
    # The mixture as another command sees it.
    ran = command("recognizer", "lm", "perplexity", out, texts[2])
    assert float(ran.out.splitlines()[1].split("\t")[5]) == pytest.approx(perplexities[2], rel=1e-4)


def test_interpolate_with_given_weights_and_kinds_of_files(models, tmp_path, command) -> None:
    binary, out = tmp_path / "one.ngram", tmp_path / "mixed.ngram"
    assert command("recognizer", "lm", "convert", models[0], "--output", binary).code == 0
    ran = command(
        "recognizer", "lm", "interpolate", binary, models[1], "--weights", "0.25,0.75",
        "--output", out, "--layout", "compact",
    )  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    found = NgramAutomaton.open(out)
    assert found.layout == "compact"
    mixture = interpolate_ngrams([read_arpa(path) for path in models], (0.25, 0.75))
    lines = [line.split() for line in sentences(7, 30)]
    expected = NgramAutomaton.from_model(mixture).sentence_log_probs(lines)
    assert found.sentence_log_probs(lines) == pytest.approx(expected, rel=1e-5)


def test_perplexity_equals_kenlms(texts, models, tmp_path, command) -> None:
    kenlm = pytest.importorskip("kenlm")
    binary = tmp_path / "one.ngram"
    assert command("recognizer", "lm", "convert", models[0], "--output", binary).code == 0
    peer = kenlm.Model(str(models[0]))
    rows = []
    for text in texts[1:]:
        lines = text.read_text().splitlines()
        scores = [score for line in lines for score in peer.full_scores(line)]
        known = [log10 for log10, _, oov in scores if not oov]
        every = [log10 for log10, _, _ in scores]
        rows.append((lines, len(scores) - len(known), sum(known), sum(every)))
    assert [row[1] for row in rows] == [0, 3]
    for model in (models[0], binary):
        ran = command("recognizer", "lm", "perplexity", model, *texts[1:])
        assert (ran.code, ran.err) == (0, "")
        header, *found, last = (line.split("\t") for line in ran.out.splitlines())
        assert header[:5] == ["file", "sentences", "words", "oov", "log10_prob"]
        for text, (lines, oov, log10_known, log10_prob), row in zip(
            texts[1:], rows, found, strict=True
        ):
            words = sum(len(line.split()) for line in lines)
            assert row[:4] == [str(text), str(len(lines)), str(words), str(oov)]
            events = words + len(lines)
            assert float(row[4]) == pytest.approx(log10_prob, rel=1e-5)
            excluding = 10 ** -(log10_known / (events - oov))
            including = 10 ** -(log10_prob / events)
            assert float(row[5]) == pytest.approx(excluding, rel=1e-6, abs=6e-5)
            assert float(row[6]) == pytest.approx(including, rel=1e-6, abs=6e-5)
        assert last[:4] == ["total", *(str(sum(int(row[i]) for row in found)) for i in (1, 2, 3))]
        assert float(last[4]) == pytest.approx(sum(row[3] for row in rows), rel=1e-5)


def test_perplexity_of_standard_input(texts, models, command, monkeypatch) -> None:
    from_file = command("recognizer", "lm", "perplexity", models[0], texts[2]).out.splitlines()
    standard_input(monkeypatch, texts[2].read_bytes())
    ran = command("recognizer", "lm", "perplexity", models[0], "-")
    assert ran.out.splitlines()[1].split("\t")[1:] == from_file[1].split("\t")[1:]


def test_perplexity_refuses_bad_input(texts, models, tmp_path, command) -> None:
    empty = write(tmp_path / "empty.txt", [])
    ran = command("recognizer", "lm", "perplexity", models[0], empty)
    failed(ran, 1, "empty.txt: expected sentences, found none")
    ran = command("recognizer", "lm", "perplexity", models[0], tmp_path / "none.txt")
    failed(ran, 1, "none.txt: no such file")
    bad = tmp_path / "bad.arpa"
    bad.write_text(models[0].read_text().replace("ngram 2=", "ngram 2=9"))
    ran = command("recognizer", "lm", "perplexity", bad, texts[0])
    failed(ran, 1, "2-grams, as the header says, before this line, found")
    ran = command("recognizer", "lm", "perplexity", tmp_path / "none.arpa", texts[0])
    failed(ran, 1, "none.arpa: no such file")


def test_convert_there_and_back_is_exact(models, tmp_path, command) -> None:
    for layout in ("fast", "compact"):
        binary, back = tmp_path / f"{layout}.ngram", tmp_path / f"{layout}.arpa"
        ran = command(
            "recognizer", "lm", "convert", models[1], "--output", binary, "--layout", layout
        )
        assert (ran.code, ran.out) == (0, f"{binary}\t{binary.stat().st_size} bytes\n")
        assert command("recognizer", "lm", "convert", binary, "--output", back).code == 0
        expected, found = ngrams(read_arpa(models[1])), ngrams(read_arpa(back))
        del expected["<s>",], found["<s>",]  # never predicted; what is written for it differs
        assert found == expected
        again = tmp_path / "again.ngram"
        assert command("recognizer", "lm", "convert", back, "--output", again).code == 0
        one, other = NgramAutomaton.open(binary).fast(), NgramAutomaton.open(again)
        for name, array in one.arrays.items():
            assert np.array_equal(array, other.arrays[name], equal_nan=array.dtype.kind == "f")
    other = tmp_path / "other.ngram"
    fast, compact = tmp_path / "fast.ngram", tmp_path / "compact.ngram"
    ran = command("recognizer", "lm", "convert", fast, "--output", other, "--layout", "compact")
    assert ran.code == 0
    assert other.read_bytes() == compact.read_bytes()


def test_convert_in_little_memory(models, tmp_path, command) -> None:
    binary, temporary = tmp_path / "model.ngram", tmp_path / "temporary"
    temporary.mkdir()
    ran = command(
        *("recognizer", "lm", "convert", models[1], "--output", binary),
        *("--memory", "1M", "--temporary", temporary),
    )
    assert ran.code == 0
    expected = NgramAutomaton.from_model(read_arpa(models[1]))
    for name, array in NgramAutomaton.open(binary).arrays.items():
        assert array.tobytes() == expected.arrays[name].tobytes()
    assert not list(temporary.iterdir())
    ran = command("recognizer", "lm", "convert", models[1], "--output", binary, "--memory", "lots")
    failed(ran, 2, "expected a size such as 500M or 4G, found 'lots'")
    ran = command("recognizer", "lm", "convert", models[1], "--output", binary, "--memory", "9k")
    failed(ran, 2, "memory: expected at least 1048576 bytes, found 9216")
    ran = command(
        *("recognizer", "lm", "convert", models[1], "--output", binary, "--temporary", "none")
    )
    failed(ran, 2, "none: expected a directory, found none")


def test_check(models, tmp_path, command) -> None:
    binary = tmp_path / "model.ngram"
    assert command("recognizer", "lm", "convert", models[1], "--output", binary).code == 0
    counts = NgramAutomaton.open(binary).metadata["counts"].replace(" ", "\t")
    ran = command("recognizer", "lm", "check", binary)
    assert (ran.code, ran.out) == (0, f"{binary}\tfast\t{counts}\n")
    content = bytearray(binary.read_bytes())
    content[-1] ^= 1
    binary.write_bytes(content)
    failed(command("recognizer", "lm", "check", binary), 1, "vocabulary: expected the CRC-32")


def test_convert_quantises(models, tmp_path, command) -> None:
    binary = tmp_path / "small.ngram"
    ran = command("recognizer", "lm", "convert", models[0], "--output", binary, "--bits", 8)
    assert ran.code == 0
    found = NgramAutomaton.open(binary)
    assert found.layout == "compact"
    lines = [line.split() for line in sentences(5, 40)]
    exact = NgramAutomaton.from_model(read_arpa(models[0])).sentence_log_probs(lines)
    assert found.sentence_log_probs(lines) == pytest.approx(exact, abs=0.2)


def test_a_failure_leaves_the_old_file(models, tmp_path, command) -> None:
    out = write(tmp_path / "out.arpa", ["what was there"])
    damaged = tmp_path / "damaged.arpa.gz"
    damaged.write_bytes(models[1].read_bytes()[:-40])
    before = set(tmp_path.iterdir())
    ran = command("recognizer", "lm", "convert", damaged, "--output", out)
    failed(ran, 1, "damaged.arpa.gz: damaged")
    assert out.read_text() == "what was there\n"
    assert set(tmp_path.iterdir()) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line(models, tmp_path, command) -> None:
    before = set(tmp_path.iterdir())
    for name in ("out.arpa", "out.ngram"):
        out = tmp_path / name
        (tmp_path / f".{name}.{os.getpid()}.tmp").symlink_to("/dev/full")
        failed(
            command("recognizer", "lm", "convert", models[0], "--output", out),
            1,
            "No space left on device",
        )
        assert set(tmp_path.iterdir()) == before
