"""`descend export`: a run's model as ONNX, in onnxruntime, or for JAX."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from descend import load_model
from descend.rl import Policy
from descend.rl._network import ActorCritic
from descend.rl.environments import Discrete

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra: pip install 'descend[export]'")


@pytest.fixture
def undated(descend, houses, tmp_path):
    """A run on houses, without the dates that ONNX has no parts of; and its table."""
    table = tmp_path / "undated.csv"
    pd.read_csv(houses).drop(columns="sold").to_csv(table, index=False)
    descend("fit", table, "--target", "price", "--model", "linear", "--out", "run", "--quiet")
    return table


def test_a_runs_model_is_exported(descend, undated):
    said = descend("export", "run", "houses.onnx")
    assert said == (0, "houses.onnx: agrees with run to 1e-5 on rows that were drawn, and on those of its table\n", "")
    descend("predict", "run", undated, "-o", "out.csv", "--quiet")
    frame = pd.read_csv(undated)
    inputs = {name: frame[[name]].to_numpy(np.float64) for name in ("area", "rooms")}
    inputs |= {"city": frame[["city"]].to_numpy(object), "garden": (frame[["garden"]] == "yes").to_numpy(np.float64)}
    (found,) = onnxruntime.InferenceSession("houses.onnx").run(["prediction"], inputs)
    np.testing.assert_allclose(found, pd.read_csv("out.csv")["prediction"], rtol=1e-5)


def test_a_table_in_several_files_is_found_again(descend, undated, tmp_path):
    """From elsewhere, too: the run knows where they lie."""
    rows = pd.read_csv(undated)
    (tmp_path / "parts").mkdir()
    rows[::2].to_parquet(tmp_path / "parts" / "1.parquet")
    rows[1::2].to_parquet(tmp_path / "parts" / "2.parquet")
    descend("fit", "parts/*.parquet", "--target", "price", "--model", "linear", "--out", "many", "--quiet")
    said = descend("export", "many", "many.onnx")
    assert said == (0, "many.onnx: agrees with many to 1e-5 on rows that were drawn, and on those of its table\n", "")
    descend("predict", "many", "parts", "-o", "out.csv", "--quiet")
    assert len(pd.read_csv("out.csv")) == len(rows)


def test_a_table_that_is_gone_or_changed_is_not_looked_at(descend, undated):
    undated.write_text("area\n1\n")
    said = descend("export", "run", "houses.onnx")
    assert said == (0, "houses.onnx: agrees with run to 1e-5 on rows that were drawn\n", "")


def test_a_run_that_kept_the_kernel_is_exported_and_loaded(descend, tmp_path):
    """Few pictures are the kernel's alone."""
    rng = np.random.default_rng(0)
    for name, tone in {"dusk": 60, "noon": 190}.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(9):
            pixels = np.clip(rng.normal(tone, 30, (6, 7, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    descend("fit", "photos", "--out", "run", "--quiet")
    said = descend("export", "run", "photos.onnx")
    assert said == (0, "photos.onnx: agrees with run to 1e-5 on rows that were drawn\n", "")
    pixels = np.stack([np.asarray(Image.open(f"photos/noon/{number}.png")) for number in range(9)])
    label, chances = onnxruntime.InferenceSession("photos.onnx").run(["label", "probabilities"], {"X": pixels})
    model = load_model("run")
    assert label.tolist() == model.predict(pixels).tolist() == ["noon"] * 9
    np.testing.assert_allclose(chances, model.predict_proba(pixels), atol=1e-5)


def test_for_jax(descend, trained):
    Policy(ActorCritic.drawn((4,), Discrete(2), 0), "somewhere", (4,), Discrete(2)).save("cart.safetensors")
    said = descend("export", "cart.safetensors", "cart.jax")
    assert said == (0, "cart.jax: agrees with cart.safetensors to 1e-5 on what was drawn, as JAX reads it back\n", "")
    assert Path("cart.jax").stat().st_size > 1000
    said = descend("export", trained, "houses.jax")
    assert said.code == 2
    assert "has no model that is written for JAX" in said.err


def test_what_cannot_be_exported_is_refused_on_a_line(descend, trained, undated):
    said = descend("export", trained, "houses.onnx")
    assert said.code == 2
    assert "ONNX cannot express what was learnt of 'sold' (date)" in said.err
    said = descend("export", "run", "houses.pb")
    assert said.code == 2
    assert "end its name with .onnx" in said.err
    assert descend("export", "nowhere", "houses.onnx").code == 2
