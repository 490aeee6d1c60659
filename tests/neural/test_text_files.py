"""Texts larger than memory: read where they lie, to the windows, tokens and models of the same texts in memory."""

import errno
import io
import os
import re
import signal
import tempfile

import jax
import numpy as np
import pytest

from descend.errors import CheckpointError, InputError
from descend.neural import LanguageModel, filed_tokens, gathering, text_files
from descend.neural._tokens import Bytes, Characters
from descend.neural.corpus import FiledWindows, Windows, validation_windows
from descend.neural.filed_tokens import FiledTokens, encoded
from descend.neural.gathering import read_corpus
from descend.neural.text_files import FiledText, Held, blocks_of, spread_blocks

RNG = np.random.default_rng(0)
LINES = ["".join(RNG.choice([*"abc déλ😀"], 30)) for _ in range(120)]
TEXTS = ["\n".join(LINES[:50]), "\n\n  ".join(LINES[50:90]) + "\n", "".join(LINES[90:])]


@pytest.fixture
def folder(tmp_path):
    """Three texts: in lines, with lines that begin with spaces, in one long line."""
    place = tmp_path / "texts"
    place.mkdir()
    for number, text in enumerate(TEXTS):
        (place / f"t{number}.txt").write_bytes(text.encode())
    return place


@pytest.fixture
def filed(folder, monkeypatch):
    """The same, none of which is held in memory."""
    held = read_corpus(folder)
    monkeypatch.setattr(gathering, "HELD_BYTES", 10)
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 200)
    return held, read_corpus(folder)


def test_it_is_the_text_that_memory_would_hold(filed):
    held, far = filed
    assert isinstance(held.text, bytes)
    assert isinstance(far.text, FiledText)
    assert far.text.read(0, 10**6) == held.text
    assert (far.starts, far.notes, far.digest) == (held.starts, held.notes, held.digest)
    for share in (0.05, 0.3, 0.77):
        assert [part.read(0, len(part)) for part in far.split(share)] == [*held.split(share)]


def test_slices_and_reads_are_those_of_bytes():
    whole = bytes(range(200))
    text = FiledText([Held(whole[:50]), Held(b""), Held(whole[50:51]), Held(whole[51:])])
    for _ in range(200):
        i, j, k, count = map(int, RNG.integers(0, 230, 4))
        part = text[i:j]
        assert part.read(0, 300) == whole[i:j]
        assert part[k:].read(2, count) == whole[i:j][k:][2 : 2 + count]
        assert part[-5:].read(0, 9) == whole[i:j][-5:]
    assert (text[51], text[-1 % len(text)]) == (51, 199)


def test_blocks_begin_with_a_line_or_else_with_a_letter(filed):
    held, far = filed
    blocks = [*far.text.blocks()]
    assert b"".join(blocks) == held.text
    assert len(blocks) > 20
    assert max(map(len, blocks)) <= 200
    for before in blocks:
        before.decode()
        # There was no line to begin with.
        assert before.endswith(b"\n") or not re.search(rb"\n(?=\S)", before)
    assert [*blocks_of(held.text)] == [held.text]


def test_some_blocks_of_a_long_text_lie_at_even_distances(filed):
    held, far = filed
    few = [*spread_blocks(far.text, 4)]
    places = [held.text.index(block) for block in few]
    assert len(few) == 4
    assert all(abs(place - number * len(held.text) / 4) < 200 for number, place in enumerate(places))
    assert b"".join(spread_blocks(far.text, 1000)) == held.text
    assert [*spread_blocks(held.text, 4)] == [held.text]
    for block in few:
        block.decode()


def test_tokens_are_those_in_memory(filed, monkeypatch):
    held, far = filed
    characters = Characters.of(blocks_of(far.text))
    assert characters.alphabet == Characters.of([held.text]).alphabet
    for tokenizer in (Bytes(), characters):
        monkeypatch.setattr(filed_tokens, "smallest_type", lambda size: np.uint16)
        tokens, mine = tokenizer.encode(held.text), encoded(tokenizer, far.text)
        assert isinstance(mine, FiledTokens)
        assert len(mine) == len(tokens)
        starts = RNG.integers(0, len(tokens) - 40, 25)
        np.testing.assert_array_equal(mine.windows(starts, 40), tokens[starts[:, None] + np.arange(40)])
        np.testing.assert_array_equal(mine[100:200].windows(np.array([0, 60]), 40), tokens[[range(100, 140),
                                                                                           range(160, 200)]])
        for most in (None, 300):
            both = (validation_windows(each, 16, most) for each in (mine, tokens))
            for one, other in zip(*both, strict=True):
                np.testing.assert_array_equal(one, other)


def test_byte_pairs_come_from_blocks(filed):
    pytest.importorskip("tokenizers", reason="what merges them")
    _, far = filed
    model = LanguageModel("tiny", tokenizer="bpe", vocabulary=300, context=8, steps=1, random_state=0).fit(far)
    learnt = b"".join(far.split(0.1)[0].blocks())
    assert model.tokenizer_.decode(model.tokenizer_.encode(learnt)) == learnt.decode()
    assert model.tokenizer_.size == 300


def test_windows_come_in_the_order_that_they_have_in_memory(filed):
    held, far = filed
    near = Windows(Bytes().encode(held.text), 16, 7)
    read = FiledWindows(encoded(Bytes(), far.text), 16, 7)
    mine = theirs = near.init(jax.random.key(3))
    assert read.steps_per_epoch == near.steps_per_epoch
    for _ in range(int(3 * near.steps_per_epoch)):
        (batch, mine), (other, theirs) = read.draw(mine, None), near.draw(theirs, None)
        np.testing.assert_array_equal(batch, other)
        assert tuple(map(int, mine)) == tuple(map(int, theirs))


def test_starts_beyond_32_bits():
    tokens = FiledTokens(FiledText([Sparse(3 * 2**32)]), np.uint8)
    source = FiledWindows(tokens, 2**10, 64)
    (inputs, targets), _ = source.draw(source.init(jax.random.key(0)), None)
    # What a place has is its number modulo 251, so that the first says where each begins.
    assert ((inputs[:, 1:] - inputs[:, :-1]) % 251 == 1).all()
    np.testing.assert_array_equal(targets[:, :-1], inputs[:, 1:])
    assert len({int(start) for start in tokens.raw._parts[0].seen if start > 2**32}) > 20


class Sparse:
    """So many bytes, which nothing holds."""

    def __init__(self, size):
        self.size, self.seen = size, []

    def __len__(self):
        return self.size

    def read(self, start, count):
        self.seen.append(start)
        return ((np.arange(count) + start) % 251).astype(np.uint8).tobytes()


class Interrupt:
    """An observer that presses Ctrl-C after some steps."""

    def __init__(self, after):
        self.after = after

    def __call__(self, progress):
        if progress.reason is None and progress.step >= self.after:
            os.kill(os.getpid(), signal.SIGINT)


SETTINGS = {"size": "tiny", "context": 16, "batch_size": 4, "steps": 60, "random_state": 0, "samples": 3}


def test_a_model_is_the_one_of_the_text_in_memory_and_goes_on_where_it_was(filed, folder, tmp_path):
    held, far = filed
    near = LanguageModel(**SETTINGS).fit(held)
    mine = LanguageModel(**SETTINGS).fit(far)
    np.testing.assert_allclose(mine.loss_curve_, near.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(mine.validation_loss_, near.validation_loss_, rtol=1e-5)
    assert mine.n_tokens_ == near.n_tokens_ == len(held.text)
    stopped = LanguageModel(**SETTINGS, checkpoint=tmp_path / "lm", observers=[Interrupt(20)]).fit(folder)
    assert stopped.stop_reason_.name == "interrupted"
    ended = LanguageModel(**SETTINGS, checkpoint=tmp_path / "lm").fit(folder)
    assert ended.loss_curve_ == mine.loss_curve_
    for one, other in zip(jax.tree.leaves(ended.network_), jax.tree.leaves(mine.network_), strict=True):
        np.testing.assert_array_equal(one, other)
    # Other text of the same length.
    (folder / "t0.txt").write_bytes((folder / "t0.txt").read_bytes().replace(b"a", b"b"))
    with pytest.raises(CheckpointError, match="source"):
        LanguageModel(**SETTINGS | {"steps": 80}, checkpoint=tmp_path / "lm").fit(folder)


def test_a_file_that_changes_or_goes_is_told(filed, folder):
    _, far = filed
    size = (folder / "t0.txt").stat().st_size
    os.utime(folder / "t0.txt", ns=(1, 1))
    with pytest.raises(InputError, match=r"t0.txt' was changed while it was read: begin anew"):
        far.text.read(0, len(far.text))
    (folder / "t0.txt").unlink()
    with pytest.raises(InputError, match=r"t0.txt' cannot be read any more: No such file"):
        far.text.read(0, len(far.text))
    assert size


def test_what_is_not_utf8_is_told_by_its_place_in_all(filed, folder):
    (folder / "t1.txt").write_bytes(b"x" * 700 + b"\xff" + b"y" * 700)
    text = read_corpus([folder / "t1.txt"])
    with pytest.raises(InputError, match=r"not UTF-8 \(the byte 0xff at position 700\)"):
        LanguageModel(**SETTINGS, tokenizer="characters").fit(text)


def test_folders_leave_out_what_is_no_text_and_utf16_is_refused(filed, folder):
    (folder / "zeros.bin").write_bytes(b"text" * 90 + b"\0" + b"text" * 90)
    (folder / "latin.txt").write_bytes(("x" * 500 + "ê").encode("latin-1"))
    (folder / "twin.txt").write_bytes((folder / "t0.txt").read_bytes())
    (folder / "wide.txt").write_bytes(("\ufeff" + "wide" * 9).encode("utf-16-le"))
    held, _ = filed
    corpus = read_corpus(folder)
    told = " ".join(corpus.notes)
    assert corpus.digest == held.digest
    for reason, name in (("no text", "zeros.bin"), ("not in Unicode", "latin.txt"), ("the same as another", "t")):
        assert f"left out, {reason}: " in told
        assert name in told
    with pytest.raises(InputError, match=r"wide.txt' is in UTF-16, which is read as a whole.*: save it as UTF-8"):
        read_corpus([folder / "wide.txt", folder / "t0.txt"])


def test_no_room_for_tokens(filed, monkeypatch, tmp_path):
    _, far = filed

    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir: Full())
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(InputError, match=r"tokens of .* bytes of text have no room in .* \(No space left on device\)"):
        encoded(Characters.of(blocks_of(far.text)), far.text)
