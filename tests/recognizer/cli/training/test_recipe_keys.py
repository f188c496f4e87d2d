"""The page of all keys is what the command prints."""

from __future__ import annotations

import re
from collections.abc import Callable

from pages import DOCS
from recognizer.cli.training.recipe_keys import keys_page

PAGE = DOCS / "guides" / "recipe-keys.md"


def test_the_page_is_up_to_date(command: Callable[..., object]) -> None:
    ran = command("recognizer", "recipe", "--keys")
    assert getattr(ran, "code", None) == 0
    assert getattr(ran, "out", "") == keys_page()
    assert PAGE.read_text(encoding="utf-8") == keys_page(), (
        "run: recognizer recipe --keys > docs/guides/recipe-keys.md"
    )


def test_every_key_has_a_meaning() -> None:
    rows = [line.split(" | ") for line in keys_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 300
    assert all(len(row) == 4 and re.search(r"\w", row[3]) for row in rows)
