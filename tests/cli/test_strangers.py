"""Models that a stranger made to do harm, behind a right checksum: each is refused on one line."""

import copy

import numpy as np
import pytest
from refusal import refused

from descend.engine.storing import read_arrays, write_arrays


def within(value, kind):
    """The attributes of all objects of a class, in facts."""
    if isinstance(value, dict) and value.get("class") == kind:
        yield value["attributes"]
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from within(item, kind)


def deep(facts, arrays):
    nested = 1
    for _ in range(900):
        nested = [nested]
    facts["encoder"]["transformer"] = nested


def setting(kind, **change):
    def attack(facts, arrays):
        for attributes in within(facts, kind):
            attributes.update(change)

    return attack


def no_numbers(facts, arrays):
    arrays.update({name: np.full_like(a, np.nan) for name, a in arrays.items() if name.startswith("predictor")})


def long_words(facts, arrays):
    words = {"dtype": "<U1000000000", "shape": [1], "items": ["a"]}
    setting("OneHotEncoder", categories_=[{"words": words}])(facts, arrays)


ATTACKS = {
    "processes": (setting("ColumnTransformer", n_jobs=200), "ColumnTransformer.n_jobs must be None, but is 200"),
    "a folder to write to": (setting("Pipeline", memory="cache"), "Pipeline.memory must be None"),
    "no numbers": (no_numbers, "must be finite"),
    "deep": (deep, "its facts are not as it writes them"),
    "long words": (long_words, "the saved encoder is damaged (words of type '<U1000000000')"),
    "a scale": (lambda facts, arrays: facts["scale"].update(unit="1"), "scale: unit must be a finite number"),
    "classes": (lambda facts, arrays: facts["task"].update(kind="binary"), "task: classes must be"),
    "a predictor": (lambda facts, arrays: facts.update(kind="os.system"),
                    "has a model of the kind 'os.system', which is none that is registered here"),
    "an encoder": (lambda facts, arrays: facts.update(encoder=None), "the saved encoder: it must be named facts"),
}


@pytest.mark.parametrize(("attack", "said"), ATTACKS.values(), ids=ATTACKS)
def test_attacks_are_refused_on_one_line(descend, trained, houses, tmp_path, attack, said):
    arrays, facts = read_arrays(trained / "model.safetensors")
    arrays, facts = dict(arrays), copy.deepcopy(facts)
    del facts["format"]
    attack(facts, arrays)
    write_arrays(tmp_path / "strange" / "model.safetensors", arrays, facts)
    refused(descend("predict", "strange", houses, "-o", "out.csv"), said)
    assert not (tmp_path / "out.csv").exists()
