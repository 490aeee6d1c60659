"""The words of any text: the same in each of Unicode's forms, with their marks, and none of it lost."""

import time
from unicodedata import category, normalize

import numpy as np
import pytest

from amounts import times
from descend.neural.hashing import NGrams
from descend.neural.words import words
from fuzz.scripts import EMOJI, SPACED, UNSPACED, hostile_text

FOUND = [0, 1303, 10522]  # seeds of texts that were wrong once: torn at marks, also behind a flag


def check(text):
    found = words(text)
    folded = normalize("NFC", normalize("NFC", text).casefold())
    seen = lambda string: "".join(c for c in string if not c.isspace() and category(c) != "Cf")
    assert seen("".join(found)) == seen(folded)
    assert all(found)
    assert words(normalize("NFC", text)) == words(normalize("NFD", text)) == found
    place = 0
    for word in found:
        place = folded.index(word, place)
        begins_with_mark = category(word[0]).startswith("M")
        before = folded[place - 1 : place]
        assert not begins_with_mark or not before or before.isspace() or category(before) == "Cf"
        place += len(word)


@pytest.mark.parametrize("seed", FOUND)
def test_texts_that_were_wrong_once(seed):
    check(hostile_text(seed))


def test_any_text_has_its_words():
    for seed in range(300):
        check(hostile_text(seed))


@pytest.mark.slow
def test_many_texts_have_their_words():
    for seed in range(1000, 1000 + times(5000)):
        check(hostile_text(seed))


@pytest.mark.peers
def test_no_character_that_is_seen_as_one_is_torn():
    """Held against the package `regex`, which divides texts into what is seen as one (UAX #29)."""
    regex = pytest.importorskip("regex")
    for seed in range(2000):
        text = normalize("NFC", normalize("NFC", hostile_text(seed)).casefold())
        place, ends = 0, set()
        for word in words(text):
            place = text.index(word, place) + len(word)
            ends |= {place - len(word), place}
        for one in regex.finditer(r"\X", text):
            # Marks behind spaces are words; what Python's older tables do not have is no mark to it.
            if not {category(character) for character in one[0]} & {"Zs", "Cf", "Cc", "Cn"}:
                assert not ends & set(range(one.start() + 1, one.end()))


def test_words_and_emoji_stay_whole_in_every_script():
    folded = [normalize("NFC", normalize("NFC", word).casefold()) for word in SPACED]
    for form in ("NFC", "NFD"):
        assert words(normalize(form, " ".join(SPACED))) == folded
    assert words("".join(EMOJI)) == EMOJI
    assert words(" ".join(EMOJI)) == EMOJI


@pytest.mark.parametrize(("text", "found"), [
    ("ภาษาไทยไม่มีช่องว่าง", "ภา ษา ไท ย ไม่ มี ช่ อ ง ว่า ง"),
    ("น้ำใจ เก้าอี้", "น้ำ ใจ เก้า อี้"),
    ("မြန်မာ", "မြ န် မာ"),
    ("ភាសាខ្មែរ", "ភា សា ខ្មែ រ"),
    ("日本語のか\u3099", "日 本 語 の が"),
    ("STRASSE Straße", "strasse strasse"),
    ("\ufeffone\u200btwo \u202ethree", "one two three"),
])
def test_words_where_nothing_stands_between_them(text, found):
    assert words(text) == found.split()


def test_scripts_without_spaces_are_not_one_word_nor_single_marks():
    for text in UNSPACED:
        found = words(text)
        assert 1 < len(found) <= len(text) or text == "ไม่มี"
        assert not any(category(word[0]).startswith("M") for word in found)


@pytest.mark.parametrize("piece", ["\u0301\u0323", "\u200d", "เ", "👍\u200d", "a\u0301", "\U0001f1e8", "\u200b"])
def test_long_repetitions_take_no_longer_than_their_length(piece):
    began = time.process_time()
    words("a" + piece * 50_000)
    assert time.process_time() - began < 0.5  # to order as many marks takes a minute


def test_a_text_is_known_again_in_the_other_form():
    texts = [hostile_text(seed) for seed in range(1, 40)]
    known, rows = NGrams.learned([normalize("NFD", text) for text in texts], 2, 1000, 100)
    for one, other in zip(rows, known.rows([normalize("NFC", text) for text in texts]), strict=True):
        np.testing.assert_array_equal(one, other)
