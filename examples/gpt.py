"""A GPT that learns a text character by character, in one file: the model, the data, the training, what it writes.

    python examples/gpt.py                 # the manual of Python, half a million characters that every Python carries
    python examples/gpt.py austen.txt      # a text of yours

Beside it, `gpt.safetensors` holds the run after each validation. Stop it when you like: the same command goes on from
there, to the same bits. `docs/gpt-in-one-file.md` walks through it.
"""

import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import descend
from descend.optimizers import ClipByNorm, WeightDecay

# What nanoGPT has for a CPU. All but the heads are arguments of `train`.
LAYERS, HEADS, WIDTH, CONTEXT = 4, 4, 128, 64


def first_weights(letters, layers, width, context, rng):
    """The parameters: a plain tree of arrays, in which nothing but names says what is what."""
    draw = lambda *shape, spread=0.02: rng.normal(0, spread, shape).astype(np.float32)
    # Each layer adds twice to the stream of features. Smaller by the root of how often, the sum does not grow with
    # depth.
    small = 0.02 / np.sqrt(2 * layers)
    layer = lambda: {
        "norm_1": np.ones(width, np.float32),
        "qkv": draw(width, 3 * width),
        "out": draw(width, width, spread=small),
        "norm_2": np.ones(width, np.float32),
        "up": draw(width, 4 * width),
        "down": draw(4 * width, width, spread=small),
    }
    return {
        "letters": draw(letters, width),
        "places": draw(context, width),
        "layers": [layer() for _ in range(layers)],
        "norm": np.ones(width, np.float32),
    }


def norm(x, scale):
    """Features with mean 0 and mean square 1; without it, the sizes of deep sums run away."""
    x = x - x.mean(-1, keepdims=True)
    return scale * x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5)


def attention(x, layer):
    """Each character gathers from those before it: what it asks for (q), what they offer (k), what they have (v)."""
    batch, length, width = x.shape
    q, k, v = jnp.split((x @ layer["qkv"]).reshape(batch, length, HEADS, -1), 3, axis=-1)
    # Divided by the root of a head's width, or the softmax would see one key alone, and pass no gradient to the others.
    fits = jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(width // HEADS)
    # The one line that makes it a language model: nobody looks ahead. All places of a window are then trained at once.
    fits = jnp.where(jnp.tril(jnp.ones((length, length), bool)), fits, -jnp.inf)
    return jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(fits), v).reshape(batch, length, width) @ layer["out"]


def gpt(params, letters):
    """The scores of what follows each of the letters (batch, length), themselves numbers from 0 on."""
    x = params["letters"][letters] + params["places"][: letters.shape[1]]
    for layer in params["layers"]:
        # The norm is inside of what is added, so that gradients come to every layer through sums alone.
        x = x + attention(norm(x, layer["norm_1"]), layer)
        x = x + jax.nn.gelu(norm(x, layer["norm_2"]) @ layer["up"]) @ layer["down"]
    # The scores are products with the same vectors that letters come in as: fewer parameters, and better for it.
    return norm(x, params["norm"]) @ params["letters"].T


def loss(params, windows):
    """The mean surprise, in nats, at each letter of a window but the first."""
    scores = gpt(params, windows[:, :-1])
    return descend.losses.softmax_cross_entropy(scores, windows[:, 1:]).mean()


@jax.jit
def written(params, window, keys):
    """A letter for each key, drawn one after the other, after a full window of the text.

    Each costs a pass over the whole window. If the keys and values of what was read are kept, it is one over a single
    letter: `descend.neural.LanguageModel` does so, in files longer than this one.
    """
    def write(window, key):
        letter = jax.random.categorical(key, gpt(params, window[None])[0, -1])
        return jnp.append(window[1:], letter), letter

    return jax.lax.scan(write, window, keys)[1]


def train(
    text, file="gpt.safetensors", steps=2000, every=250, layers=LAYERS, width=WIDTH, context=CONTEXT, batch_size=12
):
    """Train, and give after each `every` steps: the run, the last batch's loss, that on held-out text, a sample."""
    letters, numbers = np.unique(list(text), return_inverse=True)
    # Windows side by side, each with the letter after its last. They are cut at the same places in each epoch; nanoGPT
    # cuts them anywhere, which is worth it for a short text that is seen many times.
    windows = numbers[: len(numbers) // (context + 1) * (context + 1)].reshape(-1, context + 1).astype(np.int32)
    # The end is held out, and not windows from anywhere, which would have what is trained on right beside them.
    learnt, held_out = np.split(windows, [int(0.9 * len(windows))])
    held_out = held_out[:200]
    if Path(file).exists():
        # Everything that goes on is in the run: parameters, the averages of Adam, the place in the shuffle, the step.
        run = descend.load(file, loss, learnt)
    else:
        rate = descend.schedules.Cosine(2e-3, steps=steps, final=2e-4, warmup=0.05)
        # One bad batch must not make a long step. Decay pulls matrices alone: scales of norms and vectors are no
        # capacity.
        matrices = ("*/qkv", "*/out", "*/up", "*/down")
        rule = ClipByNorm(WeightDecay(descend.Adam(rate, beta2=0.99), 0.1, matrices), 1.0)
        start = first_weights(len(letters), layers, width, context, np.random.default_rng(0))
        run = descend.begin(loss, start, learnt, optimizer=rule, batch_size=batch_size)
    while run.step < steps:
        # One compiled program, however many steps it is asked for. Nothing else happens between two calls.
        run, trace = run.advance(min(every, steps - run.step))
        keys = jax.random.split(jax.random.key(run.step), 200)
        sample = "".join(letters[np.asarray(written(run.params, held_out[0, :context], keys))])
        run.save(file)
        yield run, trace.columns["loss"][-1], run.loss(held_out), sample


def manual():
    """The manual of Python, from its own library."""
    from pydoc_data.topics import topics

    return "\n".join(topics.values())


if __name__ == "__main__":
    begin, text = time.perf_counter(), Path(sys.argv[1]).read_text() if sys.argv[1:] else manual()
    for run, now, judged, sample in train(text):
        print(f"step {run.step}  loss {now:.3f}  held out {judged:.3f}  {time.perf_counter() - begin:.0f} s")
        print(sample, end="\n\n")
