"""`descend lm`: train a language model on texts."""

import json
import math
import shlex
import warnings
from html import escape
from pathlib import Path
from typing import Annotated, Any, Literal

from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text
from typer import Argument, Option

from descend._facts import Facts
from descend._figures import training_curves
from descend._files import write_atomically
from descend.cli._console import NO_INSIGHT, Console, say
from descend.cli._summary import end_as_asked, verdict_row
from descend.errors import CheckpointError, reading
from descend.insight.verdict import Verdict, Verdicts
from descend.neural.gathering import Corpus, read_corpus
from descend.neural.language import DEFAULT_SIZE, DEFAULT_TOKENIZER, LanguageModel
from descend.neural.text_files import FiledText
from descend.observers import Progress
from descend.observers.progress import ProgressBar, duration
from descend.tasks.begun import SAMPLE_TOKENS, digest_of_model, language_model
from descend.tasks.common.folder import RunFolder, claimed, place_of
from descend.tasks.common.page import MARGIN, STYLE
from descend.tasks.common.section import verdict_section

# So many letters of a sample are shown while the model learns.
SHOWN_LETTERS = 80
# So many samples are in the report.
SHOWN_SAMPLES = 12
UNJUDGED = "not known: nothing was held out, or there was no time to look at it"
SAMPLES_FILE = "samples.json"


def lm(
    texts: Annotated[list[Path], Argument(help="Text files, and folders of such.")],
    out: Annotated[Path | None, Option("--out", "-o", help="The run's folder; by default runs/NAME.")] = None,
    start: Annotated[
        Path | None,
        Option("--from", help="Go on with the tokens, shape and weights of this run of descend lm: fine-tuning."),
    ] = None,
    size: Annotated[
        Literal["tiny", "small", "medium", "large"] | None, Option(help="Of the model; small where nobody says.")
    ] = None,
    tokenizer: Annotated[
        Literal["bytes", "characters", "bpe"] | None,
        Option(help="bytes, where nobody says, takes any file; bpe merges common sequences of them, and needs the "
                    "package tokenizers."),
    ] = None,
    context: Annotated[int | None, Option(help="Tokens to look back on; by default the size's own.")] = None,
    epochs: Annotated[float | None, Option(help="Times to see the text, at the most.")] = None,
    steps: Annotated[int | None, Option(help="Steps to make, at the most; 5000 if nothing else is given.")] = None,
    seconds: Annotated[float | None, Option(help="Time to train, at the most.")] = None,
    seed: Annotated[int, Option(help="Of the weights and of the order of the text.")] = 0,
    resume: Annotated[bool, Option("--resume", help="Go on with the run in the folder.")] = False,
    no_insight: Annotated[bool, Option("--no-insight", help=NO_INSIGHT)] = False,
    quiet: Annotated[bool, Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Train a language model that writes on in the manner of texts."""
    console = Console(quiet=quiet)
    say(console, f"reading {_named(texts)}")
    # All of it, as its digest says whether a resumed run goes on with the same text.
    corpus = read_corpus(texts)
    settings: dict[str, Any] = {"start": None, "size": size, "tokenizer": tokenizer, "context": context,
                                "epochs": epochs, "steps": steps, "seconds": seconds, "seed": seed}
    if start is None:
        settings |= {"size": size or DEFAULT_SIZE, "tokenizer": tokenizer or DEFAULT_TOKENIZER}
    else:
        # By what it is, and not where it lay: a resumed run must have begun with the same weights.
        settings["start"] = digest_of_model(start)
    first, *others = texts
    asked = {"text": first.name, "digest": corpus.digest, "settings": settings, "source": place_of(first)}
    asked |= {"others": [place_of(other) for other in others]} if others else {}
    asked |= {} if start is None else {"start": place_of(start)}
    folder = claimed(out, (first if first.name else first.resolve()).stem, asked, resume)
    for note in corpus.notes:
        say(console, note)
    if isinstance(corpus.text, FiledText):
        say(console, f"{len(corpus.text):,} bytes of text stay in their files, and are read where they are needed")
    model = language_model(folder.checkpoints, start, **settings)
    scribe = _Scribe(model, folder, console)
    size_of_step = math.prod(model.tokens_per_step())
    judge = Verdicts()
    model.observers = [*([] if quiet else [ProgressBar("gpt", console, ("tokens", size_of_step))]), scribe,
                       *([] if no_insight else [judge])]
    model.fit(corpus)
    verdict = judge.each[-1] if judge.each else None
    facts = _facts(model, corpus) | ({} if verdict is None else {"verdict": list(verdict.sentences)})
    final = model.generate(length=2 * SAMPLE_TOKENS, temperature=0.8, seed=seed) if _knows_lines(model) else ""
    with folder.closing():
        model.save(folder.path)
        write_atomically(folder.path / "history.parquet", model.history_.to_pandas().to_parquet(index=False))
        folder.write_report(_report(model, facts, scribe.samples, final, _named(texts), verdict))
        scribe.write()
        folder.write_json("metrics.json", facts)
    console.print(_summary(facts, final))
    _say_what_next(console, folder, model)


class _Scribe:
    """Shows what the model writes as it learns, and keeps it in the run's folder."""

    def __init__(self, model: LanguageModel, folder: RunFolder, console: Console):
        self._model, self._folder, self._console = model, folder, console
        self._before: list[dict[str, Any]] = []
        self._told = 0

    @property
    def samples(self) -> list[dict[str, Any]]:
        """All of them, by their steps; those before a resume too, but for what was done again."""
        fresh = [vars(sample) for sample in self._model.samples_]
        begin = fresh[0]["step"] if fresh else math.inf
        return [sample for sample in self._before if sample["step"] < begin] + fresh

    def __enter__(self) -> "_Scribe":
        """The training begins: only now is anything written to the folder."""
        self._folder.begin()
        kept = self._folder.path / SAMPLES_FILE
        with reading(f"{kept} is damaged, begin anew with another --out", CheckpointError):
            found = json.loads(kept.read_bytes()) if kept.exists() else []
            told = [Facts(sample, str(kept)) for sample in found]
            self._before = [{"step": each.whole("step"), "loss": each.number("loss"), "text": each.text("text")}
                            for each in told]
        return self

    def __exit__(self, *_: Any) -> None:
        """Nothing is left open."""

    def write(self) -> None:
        """Write down all samples, if there are any."""
        if self.samples:
            self._folder.write_json(SAMPLES_FILE, self.samples)

    def __call__(self, progress: Progress) -> None:
        """Look whether something new was written."""
        if len(self._model.samples_) == self._told:
            return
        self._told = len(self._model.samples_)
        try:
            self.write()
        except OSError as error:
            warnings.warn(f"{error.filename} could not be written ({error.strerror}): it is tried again with the next "
                          "sample, and at the end", stacklevel=2)
        last = self._model.samples_[-1]
        # On one line, whatever line ends the model writes.
        words = " ".join(last.text.split())[:SHOWN_LETTERS]
        line = Text(f"step {last.step:,}, validation loss {last.loss:.3f}: ").append(words, style="dim")
        self._console.print(line, highlight=False, soft_wrap=True)


def _named(texts: list[Path]) -> str:
    first, others = texts[0], len(texts) - 1
    return (first.name or first.resolve().name) + (f" and {others} more" if others else "")


def _knows_lines(model: LanguageModel) -> bool:
    """Whether a new line, which samples begin with, is in the vocabulary."""
    return "\n" in getattr(model.tokenizer_, "alphabet", "\n")


def _facts(model: LanguageModel, corpus: Corpus) -> dict[str, Any]:
    """What came of it, as JSON can hold it."""
    shape, loss = model.network_.shape, min(model.validation_loss_, default=None)
    made = model.stop_reason_.step * math.prod(model.tokens_per_step())
    facts: dict[str, Any] = {
        "bytes": len(corpus.text),
        "texts": len(corpus.starts) + 1,
        "tokens": model.n_tokens_,
        "vocabulary": shape.vocabulary,
        "model": f"GPT, {shape.layers} layers of {shape.heads} heads, {shape.width} wide, context {shape.context}",
        "parameters": model.n_parameters_,
        "stopped": str(model.stop_reason_),
        "steps": model.stop_reason_.step,
        "seconds": round(model.training_seconds_, 3),
        "tokens_per_second": round(made / max(model.training_seconds_, 1e-9)),
    }
    if loss is not None:
        facts["validation_loss"] = loss
        facts["perplexity"] = math.exp(loss)
        facts["bits_per_byte"] = loss / math.log(2) * model.validation_tokens_per_byte_
    return facts | ({"left_out": list(corpus.notes)} if corpus.notes else {})


def _summary(facts: dict[str, Any], final: str) -> Grid:
    """What came of it, in a table, and a last sample."""
    grid = Grid(show_header=False, box=None, padding=(0, 2, 0, 0))
    grid.add_column(style="bold")
    judged, of = UNJUDGED, f" of {facts['texts']:,} texts" if facts["texts"] > 1 else ""
    if "perplexity" in facts:
        judged = (f"perplexity {facts['perplexity']:.3f} per token on what was held out: "
                  f"{facts['bits_per_byte']:.3f} bits per byte")
    for name, value in (
        ("text", f"{facts['bytes']:,} bytes{of}, {facts['tokens']:,} tokens out of {facts['vocabulary']:,}"),
        ("model", f"{facts['model']}: {facts['parameters']:,} parameters"),
        ("stopped", facts["stopped"]),
        ("score", judged),
        ("time", f"{duration(facts['seconds'])} of training, {facts['tokens_per_second']:,} tokens/s"),
        *verdict_row(facts),
    ):
        grid.add_row(name, Text(value))
    grid.add_row("it writes", Padding(Text(final.strip(), style="dim"), (0, 0, 1, 0)))
    return grid


def _say_what_next(console: Console, folder: RunFolder, model: LanguageModel) -> None:
    place = shlex.quote(str(folder.path))
    lines = [f"report: {folder.path / 'report.html'}", f"use it: descend generate {place} --prompt TEXT"]
    if model.stop_reason_.name == "interrupted":
        lines.insert(0, f"go on:  the same command with --resume --out {place}")
    for line in lines:
        say(console, line)
    end_as_asked(model.stop_reason_)


def _report(
    model: LanguageModel, facts: dict[str, Any], samples: list[dict[str, Any]], final: str, name: str,
    verdict: Verdict | None,
) -> str:
    """The report as a page that needs no network: score, curves, samples over time, a last one, the facts."""
    curves = training_curves(model.history_, model.stop_reason_).update_layout(title=None, margin=MARGIN)
    figure = curves.to_html(full_html=False, include_plotlyjs=True, config={"displayModeBar": False})
    step = max(1, math.ceil(len(samples) / SHOWN_SAMPLES))
    # Counted from the end, so that the last one is among them.
    chosen = samples[::-1][::step][::-1]
    written = "".join(
        f"<tr><td>{sample['step']:,}<td>{sample['loss']:.3f}<td><pre>{escape(sample['text'])}</pre>"
        for sample in chosen
    )
    rows = "".join(
        f"<tr><th>{escape(key.replace('_', ' '))}<td>{escape(_plain(value))}" for key, value in facts.items()
    )
    score = f"perplexity {facts['perplexity']:.3f}" if "perplexity" in facts else UNJUDGED
    stands_out = "".join(f"<h2>{section.heading}</h2>{section.html}" for section in verdict_section(verdict))
    return f"""<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width"><title>{escape(name)}</title>
<style>{STYLE} pre {{ white-space: pre-wrap; margin: 0 }}</style>
<h1>A language model of {escape(name)}</h1>
<p class=score>{score}</p>
{"<p>per token, on what was held out.</p>" if "perplexity" in facts else ""}
<h2>What it writes</h2><pre>{escape(final)}</pre>
<h2>How the training went</h2><p class=note>Stopped by {escape(str(model.stop_reason_))}.</p>
{figure}
{stands_out}
<h2>What it wrote as it learnt</h2>
<table><tr><th>step<th>loss<th>text</tr>{written}</table>
<h2>All facts</h2><table>{rows}</table>
</html>
"""


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
