"""Language models as files: weights, shape and tokenizer, as numbers and JSON."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from descend._facts import Facts, refuse, refuse_nonfinite, refuse_other_size
from descend._saved import file_of
from descend._tree import join, split
from descend.engine.storing import read_arrays, tree_from_arrays, tree_to_arrays, write_arrays
from descend.errors import CheckpointError, InputError
from descend.neural._gpt import GPT, Positions, Shape
from descend.neural._tokens import Tokenizer, from_facts

KIND, MODEL_VERSION = "language model", 1
# Keys, values, and which token looks at which: a file that asks for more is refused before any memory is.
MAX_CACHE_NUMBERS = 2**27


@dataclass(frozen=True)
class Stored:
    """What a file has: the network, and how text becomes its tokens."""

    network: GPT
    tokenizer: Tokenizer

    def write(self, path: str | Path) -> None:
        """Write them to a folder, or to a file whose name ends with `.safetensors`."""
        facts = {"kind": KIND, "version": MODEL_VERSION, "shape": asdict(self.network.shape),
                 "tokenizer": self.tokenizer.facts()}
        write_arrays(file_of(path), tree_to_arrays(split(self.network)[0], "network"), facts)

    @classmethod
    def read(cls, path: str | Path) -> "Stored":
        """What was written there.

        **Raises** `InputError` if there is none, `CheckpointError` if it is damaged.
        """
        folder, file = path, file_of(path)
        if not file.parent.is_dir():
            raise InputError(f"there is no folder {folder}: give the folder that `descend lm` wrote")
        if not file.exists():
            raise InputError(f"{folder} has no language model: give a folder that `descend lm` wrote, whose training "
                             "ended")
        arrays, facts = read_arrays(file)
        if facts.get("kind") != KIND:
            raise InputError(f"{folder} has a model, but no language model: give a folder that `descend lm` wrote")
        if facts.get("version") != MODEL_VERSION:
            raise CheckpointError(f"{file} was written by another version of descend: train again with `descend lm`")
        shape, tokenizer = _shape_in(facts, arrays, str(file)), from_facts(facts.get("tokenizer"), str(file))
        if tokenizer.size > shape.vocabulary:
            refuse(str(file), "the tokenizer", f"one of {shape.vocabulary:,} tokens at the most", tokenizer.size)
        numbers, rest = split(GPT.drawn(shape, None))
        return cls(join(tree_from_arrays(numbers, arrays, "network"), rest), tokenizer)


def _shape_in(facts: dict[str, Any], arrays: dict[str, np.ndarray], where: str) -> Shape:
    """The shape that a file tells of, if its weights are such.

    **Raises** `CheckpointError` before anything of that size is made.
    """
    told = Facts(facts, where).inner("shape")
    context, layers, heads, width = (told.whole(name, 1) for name in ("context", "layers", "heads", "width"))
    positions = told.choice("positions", get_args(Positions))
    shape = Shape(told.whole("vocabulary", 1), context, layers, heads, width, positions, told.number("dropout", 0, 1))
    if width % (2 * heads if positions == "rotary" else heads):
        told.refuse("width", f"even for each of {heads} heads", width)
    refuse_other_size(arrays, "network", shape.size, where)
    if context * (2 * layers * width + context) > MAX_CACHE_NUMBERS:
        told.refuse("context", "such that what is seen of it is less than a gigabyte", context)
    refuse_nonfinite(arrays, where)
    return shape
