"""A domain's language model at run time: mixed into both passes, with its words and classes."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
import soundfile

import toy
from recognizer import Adaptation, NewWord, Recognizer, SpeechError, UsageError, read_words
from recognizer.batch.recognition import BatchOptions
from recognizer.data.corpora.corpus import read_corpus
from recognizer.decoding.lattice.paths import n_best
from recognizer.evaluation.tune import Grid, tune
from recognizer.lm.arpa.files import read_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.model.config import FirstPassOptions
from recognizer.vocabulary.domain import LM_WEIGHT

NEW: Mapping[str, str] = {"tow": "T OW", "sawtay": "S AA T AY"}
ALL = {**toy.WORDS, **NEW}
DOMAIN = toy.arpa(
    "-0.9\t</s>\n-99\t<s>\t-0.2\n-2\t<unk>\n-0.7\tgo\t-0.3\n-0.7\twrite\t-0.3\n-0.8\tleft\t-0.3",
    "-0.05\tgo write{last}\n-0.3\twrite left{last}",
)
CLASSES = "go to\ngo <town> left\nnow <town>\n\nleft <town>\n"


@pytest.fixture(scope="module")
def toy_recognizer(toy_model) -> Recognizer:
    return Recognizer(toy_model)


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("domain") / "domain.arpa"
    path.write_text(DOMAIN)
    return path


@pytest.fixture(scope="module")
def class_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("classes") / "towns.txt"
    path.write_text(CLASSES)
    return path


@pytest.fixture(scope="module")
def with_domain(toy_recognizer, domain) -> Recognizer:
    return toy_recognizer.adapted(lm=domain, lm_weight=0.4)


def test_the_domain_decides_between_homophones(toy_recognizer, with_domain):
    samples = toy.whistle("go write left")
    assert toy_recognizer.recognize(samples).text == "go right left"
    found = with_domain.recognize(samples)
    assert found.first_pass.words == found.rescored.words == ("go", "write", "left")
    assert toy_recognizer.lm is None


def test_the_second_pass_has_the_exact_mixture(toy_recognizer, with_domain):
    samples = toy.whistle("left go stop")
    plain, mixed = toy_recognizer.recognize(samples), with_domain.recognize(samples)
    assert plain.text == mixed.text == "left go stop"
    own, new = toy_recognizer.bundle.rescoring_lm, with_domain.lm.domain.ngrams
    models = (own, NgramAutomaton.from_model(new))
    expected = 0.0
    states = [model.start() for model in models]
    for word in ("left", "go", "stop", None):
        log_probs = []
        for row, model in enumerate(models):
            if word is None:
                log_probs.append(model.final(states[row]))
                continue
            log_prob, states[row] = model.score(states[row], word)
            log_probs.append(log_prob if word in model else -math.inf)
        mixture = 0.6 * math.exp(log_probs[0]) + 0.4 * math.exp(log_probs[1])
        expected += math.log(mixture) - log_probs[0]
    gain = mixed.rescored.graph_log_prob - plain.rescored.graph_log_prob
    assert gain == pytest.approx(expected, abs=1e-3)


def test_binaries_and_capital_letters_are_the_same_model(with_domain, toy_recognizer, tmp_path):
    samples = toy.whistle("go write left")
    expected = with_domain.recognize(samples)
    binary, capital = tmp_path / "domain.ngram", tmp_path / "domain.arpa"
    capital.write_text(DOMAIN)
    NgramAutomaton.from_model(read_arpa(capital)).save(binary)
    text = DOMAIN
    for word in ("go", "write", "left"):
        text = text.replace(word, word.upper())
    capital.write_text(text)
    for path in (binary, capital):
        found = toy_recognizer.adapted(lm=path, lm_weight=0.4).recognize(samples)
        assert found.text == expected.text
        assert found.rescored.graph_log_prob == pytest.approx(expected.rescored.graph_log_prob)


def test_words_of_a_text_are_added(toy_recognizer, tmp_path, caplog):
    path = tmp_path / "text.txt"
    path.write_text("Go tow, left!\n\nGo stops. Qwx, tibo.\n" * 3)
    tow = NewWord("tow", ("T", "OW"))
    adapted = toy_recognizer.adapted(words=[tow], lm=path)
    # "stops" is pronounced by rule, "tow" is given; "qwx" has other phones, "tibo" nobody knows.
    assert {"tow", "stops"} < set(adapted.decoder.graph.words)
    assert (
        ": 2 of its words cannot be recognised, for they have no pronunciation: qwx, tibo"
        in caplog.text
    )
    words = {**ALL, "stops": "S T AA P S"}
    assert adapted.recognize(toy.whistle("go tow left", words=words)).text == "go tow left"
    assert adapted.recognize(toy.whistle("go stops", words=words)).text == "go stops"
    # In the domain, it is no unknown word.
    alone = toy_recognizer.adapted(words=[tow]).recognize(toy.whistle("go tow left", words=words))
    assert "tow" not in alone.text


def test_streams_and_other_words_share_the_mixture(with_domain):
    adapted = with_domain.adapted(words=[NewWord("tow", ("T", "OW"), weight=1e3)])
    assert adapted.lm is with_domain.lm
    assert adapted.lm is with_domain.lm
    stream = adapted.stream()
    events = stream.accept(toy.whistle("go write tow", words=ALL), toy.RATE)
    assert [*events, *stream.finish()][-1].text == "go write tow"
    assert with_domain.adapted(lm=None).lm is None


def test_classes_are_filled_with_new_words_and_own_ones(toy_recognizer, class_text):
    towns = [
        NewWord("sawtay", ("S", "AA", "T", "AY"), "<town>"),
        NewWord("write", like="<town>"),
    ]
    base = toy_recognizer.adapted(words=towns, lm=class_text)
    for text in ("go sawtay left", "now sawtay", "left write"):
        result = base.recognize(toy.whistle(text, words=ALL))
        assert result.text == text
        assert all(0.5 < word.confidence <= 1.0 for word in result.words)
        said = [path.words for path, _ in zip(n_best(result.lattice, 0.3), range(50), strict=False)]
        assert len(set(said)) == len(said)
    mbr = Recognizer(base.bundle, words=towns, lm=base.lm, minimum_bayes_risk=True)
    assert mbr.recognize(toy.whistle("go sawtay left", words=ALL)).text == "go sawtay left"


def test_weights_are_shares_of_a_class(toy_recognizer, class_text):
    samples = toy.whistle("go sawtay left", words=ALL)
    base = None
    found = []
    for weight, other in ((1.0, 3.0), (10.0, 30.0), (1.0, 1.0)):
        towns = [
            NewWord("sawtay", ("S", "AA", "T", "AY"), "<town>", weight),
            NewWord("sawtay", ("S", "AA", "T", "T"), "<town>", weight),
            NewWord("tow", ("T", "OW"), "<town>", other),
        ]
        base = toy_recognizer.adapted(words=towns, lm=class_text if base is None else base.lm)
        result = base.recognize(samples)
        assert result.text == "go sawtay left"
        found.append((result.first_pass.graph_log_prob, result.rescored.graph_log_prob))
    assert found[1] == pytest.approx(found[0], abs=1e-3)
    for one, other in zip(found[2], found[0], strict=True):
        assert one - other == pytest.approx(math.log(2), abs=1e-3)  # 1 in 2, not 1 in 4


def test_a_class_without_words_is_named_with_its_line(toy_recognizer, class_text, tmp_path):
    message = rf"^{class_text}:2: expected words that are like <town> in the list of words"
    with pytest.raises(SpeechError, match=message):
        toy_recognizer.adapted(words=["go"], lm=class_text)
    path = tmp_path / "classes.arpa"
    path.write_text(DOMAIN.replace("write", "<town>"))
    with pytest.raises(SpeechError, match=rf"^{path}:10: expected words that are like <town>"):
        toy_recognizer.adapted(lm=path)


def test_a_class_that_no_model_has_is_named_with_its_line(toy_recognizer, class_text, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("sawtay\tS AA T AY\t<town>\ntow\tT OW\t<river>\n")
    message = r"words\.txt:2: word 'tow': expected to be in a class of the model, found '<river>'"
    with pytest.raises(SpeechError, match=message):
        toy_recognizer.adapted(words=read_words(path), lm=class_text)
    with pytest.raises(SpeechError, match=r"words\.txt:1: .*found '<town>'"):
        toy_recognizer.adapted(words=read_words(path))


@pytest.mark.parametrize("weight", [0.0, 1.0, -0.5, math.nan])
def test_impossible_weights_are_refused(toy_recognizer, domain, weight):
    with pytest.raises(UsageError, match=r"^lm_weight: expected a number above 0 and below 1"):
        toy_recognizer.adapted(lm=domain, lm_weight=weight)


def test_a_weight_needs_a_file_and_a_mixture_its_model(toy_recognizer, with_domain, toy_model):
    with pytest.raises(UsageError, match="lm_weight: expected the file of a language model"):
        toy_recognizer.adapted(lm_weight=0.5)
    with pytest.raises(UsageError, match="found one that has its weight already"):
        toy_recognizer.adapted(lm=with_domain.lm, lm_weight=0.5)
    with pytest.raises(UsageError, match="lm: expected one that was mixed for"):
        Recognizer(toy_model, lm=with_domain.lm)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"lm\.txt: no such file"),
        ("", r"lm\.txt: expected words, found none"),
        ("...\n", r"lm\.txt: expected words, found none"),
        ("go\n<s> go\n", r"lm\.txt:2: expected words, found <s>"),
        ("\\data\\\nngram 1=2\n\n\\1-grams:\n-1 go\n", r"lm\.txt:\d+: "),
    ],
)
def test_wrong_files_are_one_line(toy_recognizer, tmp_path, text, message):
    path = tmp_path / "lm.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SpeechError, match=message) as caught:
        toy_recognizer.adapted(lm=path)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_named(toy_recognizer, tmp_path):
    path = tmp_path / "lm.bin"
    path.write_bytes(b"go left\n\xff\xfe\n")
    with pytest.raises(SpeechError, match=r"lm\.bin:2: expected UTF-8 text, found byte 0xff"):
        toy_recognizer.adapted(lm=path)


def test_a_model_with_a_static_graph_is_refused(tmp_path, domain):
    model = toy.build(tmp_path / "static", FirstPassOptions("static", "epsilon"))
    with pytest.raises(UsageError, match=r"searches on the fly, to mix a language model.*static"):
        Recognizer(model, lm=domain)


def test_a_search_that_backs_off_by_epsilons_has_the_domain_too(tmp_path, domain):
    model = toy.build(tmp_path / "epsilon", FirstPassOptions(backoff="epsilon"))
    found = Recognizer(model, lm=domain, lm_weight=0.5).recognize(toy.whistle("go write left"))
    assert found.text == "go write left"


def test_recognize_takes_a_domain(command, toy_model, whistled, domain):
    audio = whistled("go write left")
    ran = command("recognize", audio, "--model", toy_model, "--lm", domain, "--lm-weight", "0.4")
    assert (ran.code, ran.out, ran.err) == (0, "go write left\n", "")


def test_written_results_are_known_by_their_domain(with_domain, domain, tmp_path):
    settings = [
        BatchOptions(adaptation=Adaptation(lm=lm, lm_weight=weight)).settings().get("lm")
        for lm, weight in (
            (None, None),
            (str(domain), None),
            (str(domain), LM_WEIGHT),
            (str(domain), 0.4),
        )
    ]
    assert settings[0] is None
    assert settings[1] == settings[2] != settings[3]
    with pytest.raises(SpeechError, match=r"gone\.arpa: cannot be read: No such file"):
        Adaptation(lm=str(tmp_path / "gone.arpa")).settings()
    with pytest.raises(UsageError, match="lm: expected the file of a language model, found an"):
        with_domain.adaptation.settings()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lm-weight", "0.4"], "--lm-weight goes with --lm"),
        (["--lm", "x", "--lm-weight", "1"], "'--lm-weight': 1.0 is not in the range 0<x<1"),
    ],
)
@pytest.mark.parametrize("name", [("recognize",), ("recognizer", "evaluate")])
def test_wrong_options_are_one_line(command, toy_model, name, arguments, message):
    ran = command(*name, "a.wav", "--model", toy_model, *arguments)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert message in ran.err


@pytest.fixture
def dev_set(tmp_path: Path) -> Path:
    directory = tmp_path / "dev"
    directory.mkdir()
    said = {"v1": "go write left", "v2": "go tow"}
    for name, text in said.items():
        soundfile.write(directory / f"{name}.flac", toy.whistle(text, words=ALL), toy.RATE)
    for file, column in (("wav.scp", "{0}.flac"), ("text", "{1}"), ("utt2spk", "s")):
        lines = [f"{name} {column.format(name, text)}\n" for name, text in said.items()]
        (directory / file).write_text("".join(lines))
    return directory


def test_evaluate_takes_words_phrases_and_a_domain(command, toy_model, dev_set, domain, tmp_path):
    words, boost = tmp_path / "words.txt", tmp_path / "boost.txt"
    words.write_text("tow\tT OW\t\t1000\n")
    boost.write_text("go write\t6\n")
    runs = [
        ([], 2),
        (["--words", words], 1),
        (["--words", words, "--boost", boost], 0),
        (["--words", words, "--lm", domain, "--lm-weight", "0.4"], 0),
    ]
    for given, errors in runs:
        ran = command("recognizer", "evaluate", dev_set, "--model", toy_model, *given)
        assert ran.code == 0, ran.err
        assert f"[ {errors} / 5," in ran.out.splitlines()[-1]
    ran = command("recognizer", "evaluate", dev_set, "--phones", "--lm", domain)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "--phones does not go with --lm" in ran.err


def test_tune_finds_a_weight(command, toy_model, dev_set, domain, tmp_path):
    model = Path(shutil.copytree(toy_model, tmp_path / "model"))
    before = (model / "model.toml").read_bytes()
    words, table = tmp_path / "words.txt", tmp_path / "table.md"
    words.write_text("tow\tT OW\t\t1000\n")
    given = ["--words", words, "--lm", domain, "--lm-weights", "0.001,0.4", "--table", table]
    ran = command("recognizer", "tune", model, dev_set, *given)
    assert (ran.code, ran.err) == (0, "")
    last = "LM weight 0.4, acoustic scale 0.3, LM scale 1, word insertion penalty 0"
    assert ran.out.splitlines()[-1] == last
    rows = table.read_text().splitlines()
    assert rows[0].startswith("| LM weight | acoustic scale |")
    assert len(rows) == 2 + 2 + 2
    assert (model / "model.toml").read_bytes() == before
    ran = command("recognizer", "tune", model, dev_set, "--lm-weights", "0.4")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    with pytest.raises(UsageError, match="lm_weights: expected distinct values"):
        adaptation = Adaptation(lm=str(domain))
        tune([read_corpus(dev_set)], model, Grid(), adaptation=adaptation, lm_weights=(0.5, 0.5))
    with pytest.raises(UsageError, match="lm: expected a file without a weight"):
        tune([read_corpus(dev_set)], model, adaptation=Adaptation(lm=str(domain), lm_weight=0.5))


def test_estimate_takes_classes(command, toy_model, tmp_path):
    words, text, output = tmp_path / "towns.txt", tmp_path / "text.txt", tmp_path / "towns.arpa"
    words.write_text("sawtay\tS AA T AY\t<town>\ntow\tT OW\t<town>\ngo\nstop\t\tleft\n")
    text.write_text("go sawtay left\nnow tow\nleft <town>\nstop\n")
    estimate = ("recognizer", "lm", "estimate", "--order", "2", "--discount-fallback", text)
    ran = command(*estimate, "--words", words, "--output", output)
    assert (ran.code, ran.err) == (0, "")
    vocabulary = read_arpa(output).vocabulary
    assert set(vocabulary) == {"<unk>", "<s>", "</s>", "go", "<town>", "left", "now", "stop"}
    towns = [one for one in read_words(words) if one.like == "<town>"]
    found = Recognizer(toy_model, words=towns, lm=output)
    assert found.recognize(toy.whistle("now tow", words=ALL)).text == "now tow"
    text.write_text("go\nto <river>\n")
    output.unlink()
    ran = command(*estimate, "--words", words, "--output", output)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert f"{text}:2: expected a class that has words (<town>), found <river>" in ran.err
    assert not output.exists()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("tow\n", r"words\.txt: expected words that are like a class, found none"),
        (
            "tow\t\t<town>\ntow\t\t<river>\n",
            r"words\.txt:2: word 'tow': expected one class, found <town> and <river>",
        ),
    ],
)
def test_wrong_classes_for_an_estimate(command, tmp_path, lines, message):
    words, text = tmp_path / "words.txt", tmp_path / "text.txt"
    words.write_text(lines)
    text.write_text("go tow\n")
    output = tmp_path / "a.arpa"
    ran = command("recognizer", "lm", "estimate", text, "--words", words, "--output", output)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert message.replace("\\", "") in ran.err
