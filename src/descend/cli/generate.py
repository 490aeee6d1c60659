"""`descend generate`: what a language model writes."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from descend.cli._console import write
from descend.neural.language import LanguageModel


def generate(
    run: Annotated[Path, Argument(help="The folder that descend lm wrote.")],
    prompt: Annotated[str, Option(help="What to go on from; by default a new line.")] = "\n",
    length: Annotated[int, Option(help="Tokens to write.")] = 500,
    temperature: Annotated[float, Option(help="Below 1, the likely is still likelier; 0 writes nothing else.")] = 0.8,
    top_k: Annotated[int | None, Option(help="Draw from so many of the likeliest tokens.")] = None,
    top_p: Annotated[
        float | None, Option(help="Draw from as few of the likeliest as have this probability together, such as 0.9.")
    ] = None,
    stop: Annotated[str | None, Option(help="End before this text, if it comes.")] = None,
    seed: Annotated[int, Option(help="The same writes the same.")] = 0,
) -> None:
    """Go on with a text as the model would."""
    model = LanguageModel.load(run)
    write(prompt + model.generate(prompt, length, temperature, top_k, top_p, stop, seed))
