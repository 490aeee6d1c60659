"""The words of a text, in whatever script: runs of letters and digits with all that belongs to them, and signs.

Texts that Unicode holds for the same have the same words: they are compared composed (NFC), and without case. As in
its rules for words (UAX #29), marks such as vowels and accents, joiners and modifiers of emoji stay with what they
follow. Scripts that put nothing between words are divided, as no dictionary is at hand: ideographs and kana each by
itself; Thai and its kin into a letter with the vowels around it.
"""

import re
from collections.abc import Callable
from functools import cache
from itertools import groupby
from unicodedata import category, normalize

# To be raised with each change of what the words are: models know their words by hashes of them.
WORD_RULE_VERSION = 2
# At most: to order them takes as long as the square of their number (UAX #15 has this limit, too).
MARKS_IN_A_ROW = 30
GRAPHEME_JOINER = "\u034f"  # parts marks without a trace
ZERO_WIDTH_SPACE = "\u200b"  # parts words where nothing is to be seen

_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_THAI_AND_KIN = (
    "\u0e01-\u0e4f\u0e81-\u0ecf\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u1780-\u17d3\u1950-\u19cf\u1a20-\u1a7f"
    "\ua9e0-\ua9ef\uaa60-\uaadf"
)
_VOWELS_BEFORE = "\u0e40-\u0e44\u0ec0-\u0ec4\u19b5-\u19b7\u19ba\uaab5\uaab6\uaab9\uaabb\uaabc"  # their consonant
_VOWELS_AFTER = "\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3"
_STACKERS = "\u1039\u17d2\u1a60"  # put the letter behind them under the one before
_TONES_OF_SKIN = "\U0001f3fb-\U0001f3ff"
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
# The same for texts that are ASCII, in a fraction of the time.
_OF_ASCII = re.compile(r"\w+|[^\s]")


def words(text: str) -> list[str]:
    """Words without capitals, numbers, and signs.

    >>> words("Don't worry: हिन्दी ไม่, 👍🏽!")
    ['don', "'", 't', 'worry', ':', 'हिन्दी', 'ไม่', ',', '👍🏽', '!']
    """
    if text.isascii():
        return _OF_ASCII.findall(text.lower())
    of_all, too_many = _patterns()
    # Composed twice: to take capitals away may leave letters and marks apart that compose.
    composed = normalize("NFC", too_many.sub(rf"\g<0>{GRAPHEME_JOINER}", text))
    return of_all.findall(normalize("NFC", composed.casefold()))


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """One that finds words, and one that finds marks before which others are too many."""
    marks = _characters(lambda character: category(character) in ("Mn", "Mc", "Me")) + _TONES_OF_SKIN
    unseen = _characters(lambda character: category(character) == "Cf" and character != ZERO_WIDTH_SPACE)
    follows = rf"[{marks}{unseen}{_VOWELS_AFTER}]"
    letters = rf"[^\W{_IDEOGRAPHS}{_THAI_AND_KIN}]"
    joined = rf"(?:(?:(?<=\u200d)[^\s\w]|(?<=[{_STACKERS}])\w){follows}*)*"
    other = rf"[{_VOWELS_BEFORE}]*[^\s{unseen}{ZERO_WIDTH_SPACE}]{follows}*{joined}"
    return (re.compile(rf"{letters}+(?:{follows}+{letters}*)*|{_FLAG}{follows}*|{other}"),
            re.compile(rf"[{marks}]{{{MARKS_IN_A_ROW}}}(?=[{marks}])"))


def _characters(wanted: Callable[[str], bool]) -> str:
    """All that are wanted, as ranges for a pattern."""
    codes = [code for code in (*range(0x80, 0x20000), *range(0xE0000, 0xE0200)) if wanted(chr(code))]
    runs = ([code for _, code in run] for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0]))
    return "".join(chr(run[0]) if len(run) == 1 else f"{chr(run[0])}-{chr(run[-1])}" for run in runs)
