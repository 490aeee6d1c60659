"""Files and folders as one text: what is read, what is left out and told, and what is held out."""

import os
from itertools import pairwise

import numpy as np
import pytest

from descend.errors import InputError
from descend.neural._tokens import Bytes
from descend.neural.gathering import Corpus, read_corpus, streams


def write(folder, texts):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in texts.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def books(tmp_path):
    """Four texts, one of them twice, and what is none."""
    folder = write(tmp_path / "books", {
        "a.txt": b"alpha\n", "b.md": "bêta".encode(), "c.txt": b"gamma\n", "d.txt": b"alpha\n", "empty.txt": b"",
        "p.png": b"\x89PNG\0\xff", "z.bin": b"text\0text", "latin.txt": "bêta".encode("latin-1"),
    })  # fmt: skip
    write(folder / ".git", {"config": b"hidden"})
    write(folder / "more", {"e.txt": "\ufeffdelta\n".encode("utf-16-le")})
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    return folder


def test_texts_of_a_folder_each_once(books):
    corpus = read_corpus(books)
    bounds = [0, *corpus.starts, len(corpus.text)]
    parts = [corpus.text[i:j].decode() for i, j in pairwise(bounds)]
    assert sorted(part.strip("\ufeff\n") for part in parts) == ["alpha", "bêta", "delta", "gamma"]
    assert all(part.endswith("\n") for part in parts[:-1])


def test_what_is_left_out_is_told(books):
    told = {note.split(": ")[0]: note.split(": ")[1] for note in read_corpus(books).notes}
    names = {reason.removeprefix("left out, "): {path.rsplit("/", 1)[1] for path in paths.split(", ")}
             for reason, paths in told.items()}
    assert names == {
        "hidden": {".git"}, "the same as another": {"d.txt"}, "empty": {"empty.txt"}, "no text": {"z.bin"},
        "not in Unicode": {"p.png", "latin.txt"}, "a link to a folder, or no file": {"loop", "pipe"},
    }  # fmt: skip


def test_names_and_their_order_do_not_matter(tmp_path):
    texts = {name: f"{name} {number}\n".encode() * 9 for number, name in enumerate("abcdef")}
    one, other = write(tmp_path / "one", texts), tmp_path / "other"
    write(other, {f"x{name}": text for name, text in reversed(texts.items())})
    assert read_corpus(one) == read_corpus(other) == read_corpus(sorted(one.iterdir(), reverse=True))
    assert read_corpus([one, other]).text == read_corpus(one).text


def test_what_is_named_by_itself_is_read_whatever_it_is(tmp_path):
    write(tmp_path, {"z.bin": b"text\0\xff", "empty.txt": b""})
    assert read_corpus(tmp_path / "z.bin") == Corpus(b"text\0\xff")
    with pytest.raises(InputError, match=r"empty.txt' is empty"):
        read_corpus([tmp_path / "z.bin", tmp_path / "empty.txt"])
    with pytest.raises(InputError, match="no file"):
        read_corpus([tmp_path / "none"])


def test_folders_without_text(tmp_path):
    with pytest.raises(InputError, match=r"there is no text in what was named; left out, empty: .*e\.txt"):
        read_corpus(write(tmp_path, {"e.txt": b""}))
    with pytest.raises(InputError, match="name a file or a folder"):
        read_corpus([])


def test_no_text_is_on_both_sides_where_some_have_about_the_share(tmp_path):
    rng = np.random.default_rng(0)
    texts = {f"t{i}": bytes(rng.integers(97, 123, rng.integers(20, 90), np.uint8)) + b"\n" for i in range(40)}
    corpus = read_corpus(write(tmp_path, texts))
    for share in (0.05, 0.1, 0.3):
        learnt, held_out = corpus.split(share)
        sides = [(text in learnt, text in held_out) for text in texts.values()]
        assert all(one != other for one, other in sides)
        assert share / 2 < len(held_out) / len(corpus.text) < 2 * share
        assert learnt + held_out == corpus.text


def test_of_few_long_texts_the_end_of_one_is_held_out():
    corpus = Corpus(b"a" * 50 + b"b" * 50, starts=(50,))
    assert corpus.split(0.1) == (b"a" * 50 + b"b" * 40, b"b" * 10)
    assert corpus.split(0) == (corpus.text, b"")


def test_no_letter_is_cut_in_two():
    text = "ab猫🐈".encode() * 3
    for held in range(1, len(text)):
        learnt, held_out = Corpus(text).split(held / len(text))
        assert (learnt + held_out).decode() == learnt.decode() + held_out.decode()


def test_tokens_of_both_sides():
    corpus = Corpus(bytes(range(100)))
    learnt, held_out = streams(corpus, Bytes(), 0.2, 8)
    assert learnt.tolist() == list(range(80))
    assert held_out.tolist() == list(range(80, 100))
    whole, nothing = streams(corpus, Bytes(), 0.05, 8)
    assert (whole.tolist(), nothing) == (list(range(100)), None)
    with pytest.raises(InputError, match="the text has 20 tokens, but a window of the context and the token after it"):
        streams(Corpus(b"x" * 20), Bytes(), 0.1, 32)
    with pytest.raises(InputError, match="0xff at position 97"):
        Corpus(b"a" * 97 + b"\xff" + b"b" * 2).refuse_other_than_unicode()
