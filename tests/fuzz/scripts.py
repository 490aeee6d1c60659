"""Texts as nobody should write them: words of many scripts, marks, joiners and whatever else Unicode has."""

from unicodedata import category, normalize

import numpy as np

SPACED = [  # in scripts that put spaces between words: each is one
    "हिन्दी", "भाषा", "विद्यार्थियों", "বাংলা", "ਪੰਜਾਬੀ", "ગુજરાતી", "தமிழ்", "మాట్లాడు", "ಕನ್ನಡ", "മലയാളം", "සිංහල",
    "العَرَبِيَّة", "مُحَمَّد", "می\u200cخواهم", "שָׁלוֹם", "Việt", "naïve", "Ångström", "Ἑλλάς", "ΟΔΟΣ", "Straße", "İstanbul",
    "한국어", "Ελληνικά", "Русский", "ქართული", "አማርኛ", "བོད", "e\u0301\u0323\u0302", "ᜃᜒ", "q\u0307\u0323",
]  # fmt: skip
EMOJI = ["👍🏽", "👨‍👩‍👧", "👩🏿‍🚀", "🏳️‍🌈", "❤️‍🔥", "🙂‍↔️", "🇨🇭", "1️⃣", "☺️",
         "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"]
UNSPACED = ["ภาษาไทย", "ไม่มี", "น้ำใจ", "เก้าอี้", "ພາສາລາວ", "မြန်မာ", "ភាសាខ្មែរ", "日本語テスト", "がぎ", "漢字", "𠮷野家"]
ODD = ["", "\0", "\ufeff", "\u200b", "\u200d", "\u200c", "\xad", "\u202e", "\u0301", "\u0345", "\ufe0f", "\ud7ff",
       "\U0010ffff",
       "ﬁ", "Å", "ǰ", "ΐ", "<br>", "a@b.de", "e-mail", "_", "\n", "\x1f"]  # fmt: skip


def hostile_text(seed: int) -> str:
    """Some words, signs and single characters, with or without spaces between them, in one of Unicode's forms."""
    rng = np.random.default_rng(seed)
    pieces = [_piece(rng) for _ in range(int(rng.integers(1, 12)))]
    text = str(rng.choice([" ", "", " ", "\u3000"])).join(pieces)
    form = rng.choice(["", "NFC", "NFD"])
    return normalize(form, text) if form else text


def _piece(rng: np.random.Generator) -> str:
    kind = rng.random()
    if kind < 0.7:
        among = [SPACED, EMOJI, UNSPACED, ODD][rng.integers(4)]
        return among[rng.integers(len(among))]
    if kind < 0.85:
        return "".join(map(_character, rng.integers(0x20, 0x3000, 4).tolist()))
    return "".join(map(_character, rng.integers(0x110000, size=3).tolist()))


def _character(code: int) -> str:
    return "?" if category(chr(code)) == "Cs" else chr(code)  # half of a pair is no character
