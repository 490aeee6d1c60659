"""Parameters that are divided among devices come to what they come to on one; and each device has its part alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

import divided
import sharded
from descend import load
from descend._division import Division, Shard

pytestmark = pytest.mark.processes
TRAINED = ["adam", "lbfgs", "averaged", "muon", "shampoo", "gpt", "undone"]
AS_ADAM = ["2x4", "1x8", "by data", "placed", "table of the host", "loaded", "moved", "forked", "forked by parameters"]
SECONDS = 300


def ended(folder, *more):
    """The exit code of a process with eight devices, and what it said."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    paths = os.pathsep.join([str(Path(sharded.__file__).parent), *sys.path])
    process = subprocess.run([sys.executable, sharded.__file__, str(folder), *more], text=True, timeout=SECONDS,
                             env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": paths}, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, check=False)  # fmt: skip
    return process.returncode, process.stdout


@pytest.fixture(scope="module")
def alone():
    """What this process trains, on one device."""
    return {name: divided.said(result) for name, result in sharded.trained(lambda table, whole=False: table)}


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """The folder of a process that was killed, and of one that came after it."""
    folder = tmp_path_factory.mktemp("eight")
    assert ended(folder, "killed")[0] == -9
    code, said = ended(folder)
    assert code == 0, said
    return folder


def told(folder, name):
    with np.load(folder / f"{name}-0.npz") as arrays:
        return dict(arrays), json.loads((folder / f"{name}-0.json").read_text())


class TestAsOne:
    @pytest.mark.parametrize("name", TRAINED)
    def test_trained(self, eight, alone, name):
        (mine, of_mine), (theirs, of_theirs) = alone[name], told(eight, name)
        assert (of_theirs["step"], of_theirs["name"]) == (of_mine["step"], of_mine["name"])
        assert mine.keys() == theirs.keys()
        for key in mine:
            # Sums are added up in another order. Adam and roots of matrices magnify that where gradients are small.
            np.testing.assert_allclose(theirs[key], mine[key], rtol=1e-4, atol=1e-4, err_msg=key)

    @pytest.mark.parametrize("name", AS_ADAM)
    def test_divided_otherwise(self, eight, alone, name):
        """Also where it was saved, or forked, on the way."""
        (mine, _), (theirs, of_theirs) = alone["adam"], told(eight, name)
        assert of_theirs["step"] == 12
        for key in theirs:
            np.testing.assert_allclose(theirs[key], mine[key], rtol=1e-4, atol=1e-5, err_msg=key)

    def test_undone(self, eight):
        """A step that must not be made leaves the parameters before it, divided as they were."""
        _, facts = told(eight, "undone")
        assert facts["name"] == "diverged"
        assert facts["specs"] == {"w": "P('model',)"}


class TestParts:
    """Each device has its part of a parameter, and of what is remembered of it, and calculates with that."""

    @pytest.mark.parametrize(("name", "parts"), [("adam", 2), ("placed", 2), ("2x4", 4), ("1x8", 8), ("by data", 8)])
    def test_memory(self, eight, name, parts):
        """Of parameters, first and second moments."""
        numbers = sharded.COLUMNS * sharded.HIDDEN + 2 * sharded.HIDDEN
        assert told(eight, name)[1]["bytes"] == [3 * 4 * numbers // parts] * 8

    @pytest.mark.parametrize("name", ["averaged", "muon"])
    def test_memory_of_other_rules(self, eight, name):
        """Velocity, sums and averages, and momentum are divided as their parameters; all of it is."""
        facts = told(eight, name)[1]
        assert facts["bytes"] == [facts["whole"] // 2] * 8

    def test_memory_of_a_search(self, eight):
        """Pairs of L-BFGS are stacks of arrays like the parameters; ten numbers are whole on each."""
        facts = told(eight, "lbfgs")[1]
        assert facts["bytes"] == [(facts["whole"] - 80) // 2 + 80] * 8

    def test_matrices_of_axes_are_whole(self, eight):
        """Shampoo's sums and powers, of each axis."""
        sides = 2 * (sharded.COLUMNS**2 + 3 * sharded.HIDDEN**2)
        numbers = sharded.COLUMNS * sharded.HIDDEN + 2 * sharded.HIDDEN
        assert told(eight, "shampoo")[1]["bytes"] == [4 * (sides + numbers // 2)] * 8

    def test_products(self, eight):
        """Of 64 rows and 32 units, on 4×2 devices 16 and 16, on 1×8 all rows and 4 units."""
        assert told(eight, "adam")[1]["products"] == ["f32[1,16]", "f32[16,16]", "f32[16,1]"]
        assert {"f32[64,4]", "f32[16,4]"} <= set(told(eight, "1x8")[1]["products"])
        assert not any("32" in shape.split("[")[1] for shape in told(eight, "1x8")[1]["products"])

    def test_heads(self, eight):
        """A GPT's 4 heads of 4: queries, keys and values of 2 heads are on a device."""
        facts = told(eight, "gpt")[1]
        assert facts["specs"]["blocks/0/qkv"] == "P('model',)"
        assert facts["specs"]["scale"] == "P()"
        assert {"f32[24,16]", "f32[32,16]"} <= set(facts["products"])

    @pytest.mark.parametrize("name", ["adam", "placed", "gone on", "averaged"])
    def test_kept(self, eight, name):
        """So do those of the result, at the start, and on the way."""
        assert told(eight, name)[1]["kept"] == ["P(None, 'model')"]


class TestFiles:
    def test_killed(self, eight):
        """What goes on from the checkpoint is, bit for bit, what nobody had disturbed."""
        (mine, of_mine), (theirs, of_theirs) = told(eight, "undisturbed"), told(eight, "gone on")
        assert mine.keys() == theirs.keys()
        for key in mine:
            np.testing.assert_array_equal(mine[key], theirs[key], err_msg=key)
        assert of_theirs["bytes"] == of_mine["bytes"] == told(eight, "adam")[1]["bytes"]

    def test_loaded(self, eight):
        """Bit for bit, too, what was saved by the verb and divided alike."""
        mine, theirs = told(eight, "adam")[0], told(eight, "loaded")[0]
        for key in theirs:
            np.testing.assert_array_equal(mine[key], theirs[key], err_msg=key)

    def test_moved(self, eight):
        """Over another mesh, by another pattern: that is said, as roundings are others."""
        assert told(eight, "moved")[1]["specs"]["first/kernel"] == "P('model',)"
        (warning,) = told(eight, "moved warned")[1]["told"]
        assert "divided among was '8 devices of 1 processes, [16, 32] in [16, 16], [32] in [16]'" in warning
        assert "and is '8 devices of 1 processes, [16, 32] in [4, 32]'" in warning

    def test_written_one_by_one(self, eight):
        """Of a state of twelve arrays, the host has fewer than three at a time."""
        facts = told(eight, "written")[1]
        assert facts["same"]
        assert facts["whole"] / 12 <= facts["peak"] < facts["whole"] / 4

    def test_whole_again(self, eight):
        """On one device, the file of eight goes on, whole."""
        with pytest.warns(UserWarning, match="divided among"):
            run = load(eight / "killed", sharded.perceptron, sharded.over(1, 1)(sharded.TABLE))
        assert run.step == told(eight, "gone on")[1]["step"]
        assert all(leaf.is_fully_replicated for leaf in jax.tree.leaves(run.params))
        theirs = {f"params/{name}": np.asarray(leaf) for name, leaf in divided._named(run.params)}
        for key, leaf in theirs.items():
            np.testing.assert_array_equal(told(eight, "gone on")[0][key], leaf, err_msg=key)


@pytest.mark.parametrize(("what", "words"), [
    ("unmatched", "shard: the pattern '*/kernal' fits no parameter; there are 3, such as "),
    ("axis", "shard: '*/kernel' names 'modl', but the axes of the mesh are 'data', 'model': name one of them"),
    ("uneven", "shard: dimension 1 of 'last/kernel', of 3, cannot be divided among the 4 devices of 'model'"),
    ("too many", "shard: 'first/bias' has 1 dimensions, (32,), and is given entries for 2: give no more"),
    ("twice", "shard: 'first/kernel' names 'model' twice: an axis can divide one dimension"),
    ("contradicting", "shard: 'first/kernel' fits both '*/kernel' and 'first/*', which divide it otherwise: let one"),
    ("text", "shard: '*/kernel' has 'model': give a tuple with an axis of the mesh, or None, for each dimension"),
    ("number", "shard: '*/kernel' has (0, 'model'): give a tuple"),
    ("mapping", "shard must be a mapping, such as {'*/kernel': (None, 'model')}, but is 'model'"),
    ("no mesh", "shard= needs a mesh of devices: lay the rows of the data, or the parameters, over one"),
    ("other mesh", "is divided over another mesh than the rows of the data, or other parameters: lay all of them"),
])  # fmt: skip
def test_refused(eight, what, words):
    said = told(eight, f"refused {what}")[1]["told"]
    assert words in said
    assert "\n" not in said


class TestLayout:
    """Which arrays lie as a parameter."""

    MESH = Mesh(np.array(jax.devices()[:1]), ("model",))
    DIVISION = Division(MESH, (), (Shard("a/w", (4, 2), P("model")), Shard("w", (4, 2), P(None, "model"))))

    @pytest.mark.parametrize(("path", "shape", "spec"), [
        (("a", "w"), (4, 2), P("model")),
        (("slots", "mean", "a", "w"), (4, 2), P("model")),
        (("b", "w"), (4, 2), P(None, "model")),
        (("pairs", "a", "w"), (10, 4, 2), P(None, "model")),
        (("a", "w"), (2, 4), P()),
        (("a", "w"), (2,), P()),
        (("a", "w", "0"), (4, 2), P()),
        (("a", "new"), (4, 2), P()),
    ])  # fmt: skip
    def test_by_path_and_shape(self, path, shape, spec):
        tree = np.zeros(shape)
        for part in reversed(path):
            tree = {part: tree}
        (place,) = jax.tree.leaves(self.DIVISION.layout(tree))
        assert place.spec == spec
