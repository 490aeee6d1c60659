"""A file of somebody's: what it defines is read, what is wrong with it is told on a line, with the line of the file."""

import pytest

from descend.errors import InputError
from descend.studio.own.ground import Ground
from descend.studio.own.model_file import read_model
from descend.studio.own.opened_file import OpenedFile

BOWL = "params = [1.0, -2.0]\ndef loss(x):\n    return x[0] ** 2 + 3 * x[1] ** 2\n"


def written(tmp_path, text, name="model.py"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_what_it_defines_is_read_under_the_names_of_begin(tmp_path, capsys):
    (tmp_path / "neighbour_of_a_model.py").write_text("rows = 5")
    before, after = '"""Its own\nwords.\n\nMore."""\nfrom neighbour_of_a_model import rows\n', "batch_size = rows\n"
    model = read_model(written(tmp_path, before + BOWL + after + "minima = [(0, 0)]\nother = 1\nprint('hello')\n"))
    assert (model.says, model.params, model.batch_size) == ("Its own words.", [1.0, -2.0], 5)
    assert (model.minima, model.data, model.optimizer) == (((0.0, 0.0),), None, None)
    assert model.loss([1.0, 2.0]) == 13.0
    assert capsys.readouterr().out == "hello\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = (1\n", r"model.py:1: SyntaxError: '\(' was never closed"),
        ("\n\nimport nowhere_at_all\n", "model.py:3: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("def f():\n    1 / 0\nf()\n", "model.py:2: ZeroDivisionError: division by zero"),
        ("\nraise SystemExit(3)\n", "model.py:2: SystemExit: 3"),
        ("raise ValueError\n", "model.py:1: ValueError$"),
        ("raise ValueError('one\\ntwo')\n", "model.py:1: ValueError: one$"),
        ("\0", "source code string cannot contain null bytes"),
        ("params = [1.0, 2.0]\n", r"defines no loss: write def loss\(params\)"),
        ("def loss(x): return 0.0\n", "defines no params"),
        ("loss = 3\nparams = [1.0, 2.0]\n", "loss must be a function of params, but is a int"),
        (BOWL + "minima = 5\n", "minima must be pairs of numbers"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path, text, says):
    with pytest.raises(InputError, match=says) as refused:
        read_model(written(tmp_path, text))
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match=r"gone\.py: FileNotFoundError"):
        read_model(tmp_path / "gone.py")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("params = [1.0, 2.0]\ndef loss(x):\n    return x\n", r"must return a scalar, .* of shape \(2,\)"),
        ("params = [1.0, 2.0]\ndef loss(x):\n    return 'a'\n", "model.py: TypeError: .* value of type <class 'str'>"),
        ("params = [1.0, 2.0]\ndef loss(x):\n    return 1 / 0\n", "model.py:3: ZeroDivisionError"),
        ("import numpy as np\nparams = [1.0, 2.0]\ndef loss(x):\n    return np.asarray(x).sum()\n",
         r"model.py:4: TracerArrayConversionError: .*compute in it with jax.numpy"),
        ("params = [1.0, 2.0]\ndef loss(x):\n    if x[0] > 0:\n        return x[0]\n    return x[1]\n",
         r"model.py:3: TracerBoolConversionError: .*jax.numpy.where"),
        ("import jax.numpy as jnp\nparams = [-1.0, 2.0]\ndef loss(x):\n    return jnp.log(x[0]) + x[1]\n",
         "the loss at params is nan: begin where it is finite"),
        ("import jax\nimport numpy as np\nparams = [1.0, 2.0]\ndef loss(x):\n"
         "    return jax.pure_callback(np.sum, jax.ShapeDtypeStruct((), x.dtype), x)\n", "Pure callbacks do not"),
        ("params = ['a', 'b']\ndef loss(x):\n    return 0.0\n", "model.py: .*parameter"),
        ("params = [1.0]\ndef loss(x):\n    return x[0] ** 2\n", "there is one parameter"),
        ("import numpy as np\nparams = np.zeros(2**20 + 1)\ndef loss(x):\n    return (x**2).sum()\n",
         "1,048,577 parameters, and ways of at most 1,048,576"),
        (BOWL + "batch_size = 3\n", "model.py: .*batch_size"),
        ("data = [1.0]\n" + BOWL, r"model.py: TypeError: loss\(\) takes 1 positional argument but 2 were given"),
    ],
)
def test_a_loss_that_cannot_be_descended_on_is_told_on_a_line(tmp_path, text, says):
    with pytest.raises(InputError, match=says) as refused:
        Ground(read_model(written(tmp_path, text)))
    assert "\n" not in str(refused.value)


def test_a_file_that_changes_is_read_again_and_one_that_is_broken_keeps_the_last(tmp_path):
    path = written(tmp_path, BOWL)
    file = OpenedFile(path)
    before = file.loaded
    assert before.ground.loss == 13.0
    assert not file.has_changed
    path.write_text("params = [1.0\n")
    assert file.has_changed
    with pytest.raises(InputError, match=r"model\.py:1: SyntaxError"):
        file.read_again()
    assert file.loaded is before
    assert before.ground.loss == 13.0
    # As long as the first, within its second: what Python keeps compiled would be the first again.
    path.write_text(BOWL.replace("3 *", "4 *"))
    file.read_again()
    assert not file.has_changed
    assert file.loaded.ground.loss == 17.0
    path.unlink()
    assert file.has_changed


def test_a_loss_that_prints_is_raced_on(tmp_path):
    assert Ground(read_model(written(tmp_path, BOWL.replace("    return", "    print(x)\n    return")))).loss == 13.0
