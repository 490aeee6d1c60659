"""`descend lm score`: how well a language model knows what comes next in a text."""

import math
from pathlib import Path
from typing import Annotated

from typer import Argument

from descend.cli._console import write
from descend.neural.corpus import read_text
from descend.neural.gathering import Corpus
from descend.neural.language import LanguageModel
from descend.tasks.begun import digest_of


def score(
    run: Annotated[Path, Argument(help="The folder that descend lm wrote.")],
    file: Annotated[Path, Argument(help="A text file.")],
) -> None:
    """Tell how many bits a byte of a text would take if the model were used to compress it: each counts once."""
    model, text = LanguageModel.load(run), read_text(file)
    bits, shape = model.bits_per_byte(text), model.network_.shape
    tokens = len(model.tokenizer_.encode(text))
    write(f"{bits:.4f} bits per byte: {math.ceil(bits * len(text) / 8):,} bytes instead of {len(text):,}")
    write(f"perplexity {2 ** (bits * len(text) / tokens):.4f} per token, of {tokens:,} tokens")
    write(f"A token is judged from up to {shape.context} before it, and from {(shape.context + 1) // 2} or more but at "
          f"the beginning; the first one as if all {shape.vocabulary:,} were alike.")
    if (run / "run.json").exists() and digest_of(run) == Corpus(text).digest:
        write("The model was trained on this very text: on others it does worse.")
