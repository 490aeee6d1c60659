"""`descend fit` and `descend predict` on pictures: folders and IDX files, whole, damaged and refused."""

import base64
import io
import json
import logging
import os
import re
import signal
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from refusal import refused
from safetensors.numpy import load_file

from descend.observers.progress import ProgressBar
from descend.tasks.begun import begun
from descend.tasks.images.pictures import read_collection
from tiny_resnet import SHAPE, arrays_of, written

BRIEF = ("--epochs", 2, "--batch-size", 16, "--learning-rate", 0.01)
FILES = {"run.json", "checkpoints", "model.safetensors", "metrics.json", "history.parquet", "report.html"}
TONES = {"dusk": 60, "noon": 190}


@pytest.fixture
def network_alone(monkeypatch):
    """As of many pictures, which are the network's alone."""
    monkeypatch.setattr("descend.tasks.images.ladder.MOST_FOR_KERNEL", 0)


def paint(folder, count, tones=TONES, shape=(5, 5, 3), seed=0):
    """A folder of pictures for each class, which differ in how bright they are."""
    rng = np.random.default_rng(seed)
    for name, tone in tones.items():
        Path(folder, name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = np.clip(rng.normal(tone, 20, shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(Path(folder, name, f"{number}.png"))


def write_idx(path, array):
    kinds = {np.dtype(np.uint8): 0x08, np.dtype(np.float32): 0x0D}
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kinds[array.dtype], array.ndim, *array.shape)
    Path(path).write_bytes(header + array.astype(array.dtype.newbyteorder(">")).tobytes())


def idx(part, count, shape=(5, 5), dtype=np.uint8):
    """Images and labels of three tones in IDX files."""
    rng, labels = np.random.default_rng(1), np.arange(count) % 3
    images = np.clip(rng.normal(50 + 70 * labels[:, None, None], 15, (count, *shape)), 0, 255).astype(dtype)
    write_idx(f"{part}-images-idx3-ubyte", images)
    write_idx(f"{part}-labels-idx1-ubyte", labels.astype(np.uint8))
    return images, labels


def test_a_folder_of_pictures(descend, network_alone):
    paint("photos", 30)
    said = descend("fit", "photos", *BRIEF)
    assert (said.code, said.err) == (0, "")
    told = dict(re.findall(r"^(\w+) {2,}(.+?) *$", said.out, re.MULTILINE))
    assert told["pictures"] == "60, of which 12 were held out"
    assert told["classes"] == "2: dusk, noon"
    assert told["model"].startswith("residual network, ")
    assert told["stopped"] == "budget: 2 epochs (4 steps) were made"
    assert re.fullmatch(r"accuracy \d\.\d{4} on held-out pictures; the plainest guess: 0\.5000", told["score"])
    assert "residual step 4 of 4 · epoch 2.3 · loss" in said.out
    assert "report: runs/photos/report.html\nuse it: descend predict runs/photos FOLDER -o FILE\n" in said.out
    run = Path("runs/photos")
    assert {path.name for path in run.iterdir()} == FILES
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["task"], metrics["rows"], metrics["held_out"], metrics["steps"]) == ("pictures", 60, 12, 4)
    assert metrics["optimizer"].startswith("AdamW(learning_rate=Cosine(initial=0.01, ")
    assert list(pd.read_parquet(run / "history.parquet")["step"]) == list(range(4))

    # What the doctor examines is this very training.
    start = begun(run, "photos")
    losses = start.run.advance(4)[1].columns["loss"]
    np.testing.assert_array_equal(losses, pd.read_parquet(run / "history.parquet")["loss"])
    assert len(start.judged[1]) == 12

    said = descend("predict", run, "photos", "-o", "out.csv")
    assert said == (0, "60 predictions in out.csv, column 'prediction'\n", "")
    out = pd.read_csv("out.csv")
    assert list(out) == ["picture", "prediction", "probability of dusk", "probability of noon"]
    assert sorted(out["picture"]) == sorted(f"{name}/{number}.png" for name in TONES for number in range(30))
    assert np.allclose(out[["probability of dusk", "probability of noon"]].sum(axis=1), 1)
    assert descend("predict", run, "photos/dusk/3.png", "-o", "one.csv", "--quiet").code == 0
    one, same = pd.read_csv("one.csv"), out[out["picture"] == "dusk/3.png"]
    assert one["picture"].tolist() == ["3.png"]
    assert one["probability of noon"].to_numpy() == pytest.approx(same["probability of noon"].to_numpy(), abs=1e-5)


def test_it_learns_and_finds_its_own_rate(descend, network_alone):
    """The two classes differ in brightness alone, so that nothing is to be confused."""
    paint("photos/train", 40)
    paint("photos/test", 10, seed=1)
    bright = np.full((5, 5, 3), 200, np.uint8)
    Image.fromarray(bright).save("photos/test/dusk/bright.png")
    said = descend("fit", "photos", "--epochs", 8, "--json")
    metrics = json.loads(said.out)
    assert (metrics["rows"], metrics["held_out"], metrics["score"]) == (101, 21, 20 / 21)
    assert metrics["optimizer"].startswith("AdamW(learning_rate=Trapezium(")
    page = Path("runs/photos/report.html").read_text()
    figure = r'<figure><img[^>]* src="data:image/png;base64,([^"]*)"><img[^>]*><figcaption>(.*?)</figcaption>'
    (shown,) = re.findall(figure, page)
    assert np.asarray(Image.open(io.BytesIO(base64.b64decode(shown[0])))).tolist() == bright.tolist()
    told = re.sub(r"<.*?>", "", shown[1])
    assert re.fullmatch(r"dusk \(\d+\.\d%\), taken for noon \(\d+\.\d%\) test/dusk/bright\.png", told)
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""href=|https?://|@import|src=(?!"data:)""", outside)


def test_idx_files(descend):
    idx("train", 60)
    images, _ = idx("t10k", 30)
    said = descend("fit", "train-images-idx3-ubyte", *BRIEF, "--json")
    metrics = json.loads(said.out)
    assert (metrics["rows"], metrics["held_out"], metrics["classes"]) == (90, 30, 3)
    assert metrics["notes"] == ["t10k-images-idx3-ubyte was held out"]
    assert read_collection(".").digest == read_collection("train-images-idx3-ubyte").digest
    run, test = "runs/train-images-idx3-ubyte", "t10k-images-idx3-ubyte"
    assert descend("predict", run, test, "-o", "out.csv", "--quiet").code == 0
    out = pd.read_csv("out.csv")
    assert (list(out)[:2], len(out)) == (["picture", "prediction"], len(images))
    assert set(out["prediction"]) <= {0, 1, 2}


def test_an_interrupted_run_goes_on_to_the_same_end(descend, monkeypatch, network_alone):
    paint("photos", 30)
    assert descend("fit", "photos", *BRIEF, "--out", "whole").code == 0
    told = ProgressBar.__call__

    def tell(self, progress):
        told(self, progress)
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(ProgressBar, "__call__", tell)
        patch.setattr("descend.engine.pace.DISPATCH_SECONDS", 0.0)  # a step a dispatch
        said = descend("fit", "photos", *BRIEF, "--out", "run")
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert (said.code, metrics["reason"]) == (130, "interrupted")
    assert "go on:  the same command with --resume --out run" in said.out
    assert {path.name for path in Path("run").iterdir()} == FILES
    model = lambda folder: Path(folder, "model.safetensors").read_bytes()
    assert model("run") != model("whole")
    assert descend("fit", "photos", *BRIEF, "--out", "run", "--resume", "--quiet").code == 0
    assert model("run") == model("whole")
    refused(descend("fit", "photos", *BRIEF, "--out", "run"), "run exists already")
    refused(descend("fit", "photos", *BRIEF, "--out", "run", "--resume", "--seed", 1), "another seed, 0 and not 1")
    paint("photos", 31)
    changed = "begun with 'photos' as it was then, and its content has changed since"
    refused(descend("fit", "photos", *BRIEF, "--out", "run", "--resume"), changed)
    assert model("run") == model("whole")


def test_pictures_of_many_sizes_and_grey_ones(descend, monkeypatch):
    monkeypatch.setattr("descend.tasks.images.sizes.MOST_SIDE", 4)
    paint("photos", 10, shape=(5, 6, 3))
    paint("photos/noon", 1, {"deeper": 190}, (6, 5))
    said = descend("fit", "photos", "--epochs", 0.1, "--learning-rate", 0.01, "--json")
    notes = json.loads(said.out)["notes"]
    assert notes == ["pictures of 2 sizes, half of them of 5 pixels or more on the shorter side: brought to 4×4, the "
                     "largest that is taken, 21 of them cut to that shape",
                     "noon/deeper/0.png is grey among colour pictures: read as colour"]
    assert descend("predict", "runs/photos", "photos/noon/deeper", "-o", "out.csv", "--quiet").code == 0


def test_a_report_of_grey_pictures_shows_the_worst_mistakes(descend):
    """Which there must be: both classes are of one tone."""
    paint("photos", 15, {"here": 128, "there": 128}, (5, 5))
    assert descend("fit", "photos", "--json").code == 0
    out = pd.read_json("runs/photos/metrics.json", typ="series")
    assert out["score"] < 1
    wrong = round((1 - out["score"]) * out["held_out"])
    assert Path("runs/photos/report.html").read_text().count("<figure>") == wrong


def test_parts_are_learnt_from_and_validated_on_without_what_is_damaged(descend):
    """So few are validated on only where they are given: of 30 pictures, none would be held out for it."""
    paint("photos/train", 15)
    paint("photos/val", 4, seed=1)
    spoil(Path("photos/val/noon/2.png"))
    Path("photos/train/dusk/list.txt").write_text("0.png")
    refused(descend("fit", "photos"), "photos/val/noon/2.png is damaged", "go on without", "by --skip-damaged")
    assert not Path("runs").exists()
    said = descend("fit", "photos", *BRIEF, "--skip-damaged")
    assert (said.code, said.err) == (0, "")
    told = re.sub(r"\s+", " ", said.out)
    assert "note train: 30 to learn from; val: 8 to validate on" in told
    assert "note 1 picture that cannot be read, left out: photos/val/noon/2.png" in told
    assert "note 1 other file passed over: 1 .txt" in told
    metrics = json.loads(Path("runs/photos/metrics.json").read_text())
    assert (metrics["rows"], metrics["held_out"]) == (30, 6)
    assert metrics["validation"]["residual"] in [pytest.approx(right / 7) for right in range(8)]
    spoil(Path("photos/val/dusk/1.png"))
    predict = lambda: descend("predict", "runs/photos", "photos/val", "-o", "out.csv")
    refused(predict(), "2 of 8 pictures cannot be read: ", "dusk/1.png is damaged", "noon/2.png is damaged")
    paint("photos/val", 4)
    Path("photos/val/list.txt").write_text("0.png")
    said = predict()
    assert said.out == "8 predictions in out.csv, column 'prediction'\n1 other file passed over: 1 .txt\n"


def test_a_damaged_picture_is_told_of_by_nobody_else(descend, monkeypatch):
    """Pillow's reader of TIFF logs that there are too many samples a pixel, as tag 277 has it, before it gives up."""
    monkeypatch.setattr(logging.root, "handlers", [])  # pytest's own, with which nothing comes to the standard error
    paint("photos", 6)
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "TIFF")
    tag, raw = struct.pack("<HHI", 277, 3, 1), file.getvalue()
    place = raw.index(tag) + len(tag)
    Path("photos/noon/x.tif").write_bytes(raw[:place] + struct.pack("<I", 51459) + raw[place + 4 :])
    refused(descend("fit", "photos"), "photos/noon/x.tif is damaged, or no picture")


def test_a_table_of_labels(descend):
    paint("photos", 12)
    names = [f"photos/{tone}/{number}.png" for tone in TONES for number in range(12)]
    table = pd.DataFrame({"file": names, "label": ["dark"] * 12 + ["bright"] * 12, "size": np.arange(24.0)})
    table.to_csv("labels.csv", index=False)
    metrics = json.loads(descend("fit", "labels.csv", "--target", "label", *BRIEF, "--json").out)
    assert (metrics["task"], metrics["rows"], metrics["classes"]) == ("pictures", 24, 2)
    refused(descend("fit", "labels.csv", "--hold-out", 0.95), "24 pictures are too few to hold out 23")
    refused(descend("fit", "labels.csv", "--target", "size", "--skip-damaged"), "labels is a table without them")
    Path(names[5]).unlink()
    refused(descend("fit", "labels.csv", "--out", "x"), f"{names[5]} is not there, or no file: mend it or take it away")
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("--target t", "--target is for tables: the pictures in photos have their classes already"),
        ("--model mlp", "--model mlp is for tables: pictures have a network of their own"),
        ("--optimizer adam", "--optimizer adam needs --learning-rate for pictures"),
        ("--optimizer magic", "there is no optimizer 'magic'"),
        ("--batch-size 500", "the batch size is 500, but there are 16 pictures to learn from"),
        ("--epochs 0", "the epochs must be a number above 0, but is 0"),
        ("--hold-out 0.95", "20 pictures are too few to hold out 19"),
        ("--out photos/dusk/0.png", "0.png exists already"),
    ],
)
def test_settings(descend, options, part):
    paint("photos", 10)
    refused(descend("fit", "photos", *options.split()), part)
    assert [path.name for path in Path().iterdir()] == ["photos"]


def test_a_test_set_leaves_nothing_to_hold_out(descend):
    paint("photos/train", 3)
    paint("photos/test", 3)
    refused(descend("fit", "photos", "--hold-out", 0.5), "--hold-out is for what is not divided yet")
    paint("photos/test", 3, {"dawn": 100})
    refused(descend("fit", "photos"), "photos/test has the class 'dawn', which photos/train has not")


def spoil(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_pictures_that_cannot_be_used(descend):
    Path("photos").mkdir()
    refused(descend("fit", "photos"), "photos is a folder without anything to learn from")
    paint("photos", 6, {"dusk": 60})
    refused(descend("fit", "photos"), "pictures of one class alone, 'dusk'")
    paint("photos", 1, {"noon": 190})
    refused(descend("fit", "photos"), "class 'noon' has one of the pictures alone")
    paint("photos", 6)
    spoil(Path("photos/noon/4.png"))
    refused(descend("fit", "photos"), "photos/noon/4.png is damaged, or no picture")
    assert [path.name for path in Path().iterdir()] == ["photos"]


def test_idx_files_that_cannot_be_used(descend):
    source = "train-images-idx3-ubyte"
    images, _ = idx("train", 30, dtype=np.float32)
    images[7, 2, 4] = np.nan
    write_idx(source, images)
    refused(descend("fit", source), f"{source}: image 7 has a pixel that is nan, at row 2 and column 4")
    write_idx(source, images[:9])
    refused(descend("fit", source), "9 images, but", "has 30 labels")
    idx("train", 30)
    write_idx("train-labels-idx1-ubyte", np.zeros(30, np.uint8))
    refused(descend("fit", source), "all images have the label 0")
    idx("train", 30)
    idx("t10k", 30, shape=(5, 6))
    refused(descend("fit", source), "t10k-images-idx3-ubyte has images of 5×6×1, but")
    spoil(Path("train-labels-idx1-ubyte"))
    refused(descend("fit", source), "train-labels-idx1-ubyte should hold 30 numbers, but ends after 11 of 30")
    Path("train-labels-idx1-ubyte").unlink()
    refused(descend("fit", source), "train-labels-idx1-ubyte cannot be read: No such file")
    assert not Path("runs").exists()


def test_what_cannot_be_predicted(descend):
    idx("train", 75)
    assert descend("fit", "train-images-idx3-ubyte", *BRIEF, "--out", "run", "--quiet").code == 0
    predict = lambda source: descend("predict", "run", source, "-o", "out.csv")
    refused(predict("none"), "there is no file or folder 'none'")
    Path("empty").mkdir()
    refused(predict("empty"), "empty has no pictures in it")
    paint("photos", 2)
    spoil(Path("photos/dusk/1.png"))
    refused(predict("photos"), "photos/dusk/1.png is damaged, or no picture")
    write_idx("other-images-idx3-ubyte", np.zeros((3, 6, 5), np.uint8))
    refused(predict("other-images-idx3-ubyte"), "the images are 6×5×1 (height×width×channels), but those trained on")
    refused(predict("train-labels-idx1-ubyte"), "an array of shape (75,), which are no images")
    damaged = bytearray(Path("run/model.safetensors").read_bytes())
    damaged[-9] ^= 4
    Path("run/model.safetensors").write_bytes(damaged)
    refused(predict("train-images-idx3-ubyte"), "model.safetensors is damaged")
    assert not Path("out.csv").exists()


@pytest.mark.slow
def test_few_pictures_go_on_from_a_file_of_weights(descend, monkeypatch):
    """Too few to train a network on: its features and a linear model are compared with the kernel."""
    paint("photos", 14)
    file = written("weights.safetensors")
    assert descend("fit", "photos", "--from", file, "--out", "run", "--quiet").code == 0
    facts = json.loads(Path("run/metrics.json").read_text())
    assert set(facts["validation"]) == {"kernel", "frozen"}
    assert "linear model on the features of the ResNet-10" in facts["why"]
    refused(descend("fit", "photos", "--out", "run", "--resume"), "begun with another start")
    refused(descend("fit", "photos", "--from", "run", "--out", "other"), "has no residual network of pictures")
    # The features' own, as if there were no kernel.
    monkeypatch.setattr("descend.tasks.images.ladder.MOST_FOR_KERNEL", 0)
    assert descend("fit", "photos", "--from", file, "--out", "frozen", "--quiet").code == 0
    assert json.loads(Path("frozen/metrics.json").read_text())["score"] > 0.9
    said = descend("export", "frozen", "again.safetensors")
    assert said == (0, "again.safetensors: the weights of frozen by torchvision's names\n", "")
    before, after = load_file(file), load_file("again.safetensors")
    np.testing.assert_array_equal(after["layer4.0.conv2.weight"], before["layer4.0.conv2.weight"])
    assert after["fc.weight"].shape == (2, SHAPE.features)
    refused(descend("fit", "photos", "--from", "frozen", "--out", "frozen", "--resume"), "begun with another start")
    said = descend("predict", "frozen", "photos", "-o", "out.csv", "--quiet")
    assert said.code == 0
    found = pd.read_csv("out.csv")
    assert (found["prediction"] == found["picture"].str.split("/").str[0]).mean() > 0.9
    refused(descend("export", "run", "kernel.safetensors"), "no network of pictures alone")
    written(file, arrays_of(seed=1))
    refused(descend("doctor", "frozen"), "was begun with the weights in", "which are others by now")


def test_what_nothing_can_start_from_is_refused(descend):
    paint("photos", 14)
    pd.DataFrame({"a": [1, 2, 3, 4], "b": [1, 2, 3, 4]}).to_csv("table.csv", index=False)
    Path("weights.pt").write_bytes(b"PK")
    Path("empty").mkdir()
    for path, part in (("weights.pt", "is not read: save it once more"), ("empty", "has no model"),
                       ("none", "no file or folder 'none'"), ("table.csv", "no file of weights")):
        refused(descend("fit", "photos", "--from", path), part)
    refused(descend("fit", "table.csv", "--target", "b", "--from", "empty"), "--from is for pictures")
    assert not Path("runs").exists()
