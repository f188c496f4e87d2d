"""The page in a browser whose microphone plays a recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

import chromium
import toy
from running_server import running

TEXT = "go left now write"
TOKEN = "some-token"
WORDS = "[...document.querySelectorAll('.word')].map(one => one.textContent).join(' ')"

pytestmark = pytest.mark.skipif(chromium.executable() is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def guarded(toy_recognizer):
    with running(toy_recognizer, token=TOKEN) as one:
        yield one


@pytest.fixture(scope="module")
def tab(guarded, tmp_path_factory):
    """The page with its token given, in one browser for all tests."""
    folder = tmp_path_factory.mktemp("browser")
    microphone = folder / "microphone.wav"
    # The microphone plays from when it is opened, which is before the page listens.
    whistled = np.concatenate([np.zeros(96000), toy.whistle(TEXT, rate=48000), np.zeros(24000)])
    soundfile.write(microphone, whistled, 48000)
    with chromium.browsing(guarded.url, folder / "profile", microphone) as one:
        one.do("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        yield one


@pytest.fixture(scope="module")
def folder(tab, tmp_path_factory) -> Path:
    return tmp_path_factory.getbasetemp() / "browser0"


def text(tab: chromium.Tab, name: str) -> str:
    return tab.value(f"document.getElementById('{name}').textContent")


def test_it_asks_for_the_token(tab):
    tab.until("!document.getElementById('token-form').hidden")
    tab.value("document.getElementById('token').value = 'wrong'")
    tab.value("document.querySelector('#token-form button').click()")
    tab.until("document.getElementById('error').textContent.includes('the right token')")
    tab.value(f"document.getElementById('token').value = '{TOKEN}'")
    tab.value("document.querySelector('#token-form button').click()")
    tab.until("document.getElementById('token-form').hidden")
    assert text(tab, "model") == "Model whistled, language x-toy"


def test_words_of_the_microphone_appear(tab):
    partials = tab.value(
        "window.partials = [];"
        "new MutationObserver(() => partials.push(document.getElementById('partial').textContent))"
        ".observe(document.getElementById('partial'), {childList: true}); partials.length"
    )
    assert partials == 0
    tab.value("document.getElementById('speak').focus()")
    tab.press("Enter")
    tab.until("document.getElementById('speak').getAttribute('aria-pressed') === 'true'")
    tab.until("partials.some(one => one.endsWith('write') || one.endsWith('right'))")
    tab.press("Escape")
    tab.until("document.getElementById('speak').getAttribute('aria-pressed') === 'false'")
    assert tab.value(WORDS) == TEXT
    assert text(tab, "error") == ""
    assert any(TEXT.startswith(one) and one != TEXT for one in tab.value("partials") if one)


def test_a_word_is_heard(tab):
    """By keyboard: the arrow keys go to the next word, Enter plays it."""
    tab.until("document.getElementById('player').readyState >= 1")
    tab.value("document.querySelector('.word').focus()")
    tab.press("ArrowRight")
    assert tab.value("document.activeElement.textContent") == "left"
    tab.press("Enter")
    tab.until("document.querySelector('.heard')?.textContent === 'left'")
    tab.until("document.getElementById('player').paused")
    stopped = tab.value("document.getElementById('player').currentTime")
    start, end = tab.value("[words[1].start, words[1].end]")
    assert start < end <= stopped < end + 1.0


def test_a_recording_with_its_downloads(tab, folder, toy_recognizer, guarded):
    from recognizer.formats.subtitles import srt, vtt

    recording = folder / "stop now.flac"
    soundfile.write(recording, toy.whistle("stop now"), 16000)
    tab.choose("#file", recording)
    tab.until(f"{WORDS} === 'stop now'")
    result = toy_recognizer.recognize(recording)
    found = tab.value("words.map(one => [one.word, one.start, one.end, one.confidence])")
    for one, word in zip(found, result.words, strict=True):
        assert one[0] == word.word
        assert one[1:] == pytest.approx([word.start, word.end, word.confidence], abs=1e-3)
    shade = "getComputedStyle(document.querySelector('.word')).getPropertyValue('--confidence')"
    assert float(tab.value(shade)) == pytest.approx(result.words[0].confidence, abs=1e-3)
    for form, content in [("srt", srt(result)), ("vtt", vtt(result)), ("txt", "stop now\n")]:
        tab.value(f"document.querySelector('[data-format={form}]').click()")
        file = folder / f"transcript.{form}"
        waited = "new Promise(done => setTimeout(done, 50))"
        for _ in range(200):
            if file.exists():
                break
            tab.value(waited)
        assert file.read_text() == content


def test_errors_are_shown(tab, folder):
    wrong = folder / "wrong.txt"
    wrong.write_text("this is no audio")
    tab.choose("#file", wrong)
    tab.until("document.getElementById('error').textContent.includes('expected a recording')")
    assert tab.value(WORDS) == ""
    assert tab.value("document.getElementById('speak').disabled") is False


def test_everything_comes_from_the_server_and_nothing_was_blocked(tab, guarded):
    loaded = tab.value("performance.getEntriesByType('resource').map(one => one.name)")
    assert f"{guarded.url}/page/page.js" in loaded
    assert all(one.startswith((guarded.url, "blob:")) for one in loaded)
    violations = [
        event
        for event in tab.events
        if event["method"] == "Log.entryAdded"
        and "Content Security Policy" in event["params"]["entry"]["text"]
    ]
    assert violations == []
    exceptions = [one for one in tab.events if one["method"] == "Runtime.exceptionThrown"]
    assert exceptions == []


def test_the_policy_allows_no_other_source(guarded):
    answer = guarded.http.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy
    assert " style=" not in answer.text and "onclick" not in answer.text
