"""A GPT as a folder in Hugging Face's layout, which `transformers` loads and the tools around it run."""

import importlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save

from descend.errors import InputError
from descend.neural._gpt import GPT, LAYER_NORM_EPS, ROTARY_BASE
from descend.neural._tokens import BytePairs, Characters, Tokenizer

# By how much scores may differ, of what the largest one is.
TOLERANCE = 1e-5
COMPARED_WINDOWS = 2
Named = Iterator[tuple[str, np.ndarray]]


def write_huggingface(network: GPT, tokenizer: Tokenizer, folder: Path) -> bool:
    """Write a new folder; whether it was seen to agree, for which `transformers` and PyTorch must be there.

    **Raises** `InputError` for a folder that has something in it, where it does not agree, and where nothing can be
    written.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} exists already: name a new folder")
    learned = network.positions is not None
    weights = {name: np.ascontiguousarray(array, np.float32)
               for name, array in (_gpt2 if learned else _neox)(network)}
    told = {"config.json": (_gpt2_config if learned else _neox_config)(network),
            "tokenizer.json": _tokenizer(tokenizer),
            "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast",
                                      "model_max_length": network.shape.context,
                                      "clean_up_tokenization_spaces": False}}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside it, so that it is whole or not there.
        with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as beside:
            made = Path(beside, "made")
            made.mkdir()
            for name, content in told.items():
                (made / name).write_text(json.dumps(content, indent=2), "utf-8")
            (made / "model.safetensors").write_bytes(save(weights, {"format": "pt"}))
            compared = _agrees(network, made)
            made.replace(folder)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from None
    return compared


def _agrees(network: GPT, folder: Path) -> bool:
    """Whether what `transformers` makes of the folder gives the same scores; `False` where there is none to ask.

    **Raises** `InputError` if it gives others.
    """
    if not all(map(importlib.util.find_spec, ("torch", "transformers"))):
        return False
    # By their names: to look through their types takes a checker minutes.
    torch, transformers = map(importlib.import_module, ("torch", "transformers"))
    shape = network.shape
    tokens = np.random.default_rng(0).integers(0, shape.vocabulary, (COMPARED_WINDOWS, shape.context))
    ours = np.asarray(network(jnp.asarray(tokens), None, None)[0])
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        theirs = model(torch.from_numpy(tokens)).logits.numpy()
    apart = float(np.abs(ours - theirs).max() / np.abs(ours).max())
    # Also where it is no number.
    if not apart <= TOLERANCE:
        raise InputError(f"transformers gives scores that are {apart:.1g} of the largest one apart from ours: nothing "
                         "was written; report it")
    return True


def _gpt2_config(network: GPT) -> dict[str, Any]:
    """GPT-2 has positions that are learnt; our gelu is the exact one, and of biases it has zeros."""
    shape = network.shape
    return _common(network) | {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_positions": shape.context,
        "n_embd": shape.width, "n_layer": shape.layers, "n_head": shape.heads, "activation_function": "gelu",
        "layer_norm_epsilon": LAYER_NORM_EPS, "embd_pdrop": shape.dropout, "resid_pdrop": shape.dropout,
        "attn_pdrop": 0.0,
    }


def _neox_config(network: GPT) -> dict[str, Any]:
    """GPT-NeoX has rotary positions that pair halves of a head, as ours do; here one part of a layer after the other,
    and not both at once."""
    shape = network.shape
    return _common(network) | {
        "architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "max_position_embeddings": shape.context,
        "hidden_size": shape.width, "intermediate_size": 4 * shape.width, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "hidden_act": "gelu", "layer_norm_eps": LAYER_NORM_EPS,
        "rotary_pct": 1.0, "rotary_emb_base": ROTARY_BASE, "use_parallel_residual": False, "attention_bias": False,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROTARY_BASE, "partial_rotary_factor": 1.0},
        "hidden_dropout": shape.dropout, "attention_dropout": 0.0,
    }


def _common(network: GPT) -> dict[str, Any]:
    # No token stands for a beginning or an end, or writing would stop at one.
    none = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    return {"vocab_size": network.shape.vocabulary, "tie_word_embeddings": True, **none}


def _gpt2(network: GPT) -> Named:
    """The weights by their names there, where matrices are applied from the right."""
    yield "transformer.wte.weight", np.asarray(network.tokens)
    yield "transformer.wpe.weight", np.asarray(network.positions).T
    for i, block in enumerate(network.blocks):
        name = f"transformer.h.{i}"
        yield from _with_bias(f"{name}.ln_1", block.attention_scale)
        yield from _with_bias(f"{name}.attn.c_attn", block.qkv, transposed=True)
        yield from _with_bias(f"{name}.attn.c_proj", block.out, transposed=True)
        yield from _with_bias(f"{name}.ln_2", block.mlp_scale)
        yield from _with_bias(f"{name}.mlp.c_fc", block.up, transposed=True)
        yield from _with_bias(f"{name}.mlp.c_proj", block.down, transposed=True)
    yield from _with_bias("transformer.ln_f", network.scale)


def _neox(network: GPT) -> Named:
    """The weights by their names there, where queries, keys and values of a head lie together."""
    heads, width = network.shape.heads, network.shape.width
    yield "gpt_neox.embed_in.weight", np.asarray(network.tokens)
    for i, block in enumerate(network.blocks):
        name = f"gpt_neox.layers.{i}"
        yield from _with_bias(f"{name}.input_layernorm", block.attention_scale)
        by_head = np.asarray(block.qkv).reshape(3, heads, -1, width).swapaxes(0, 1)
        yield f"{name}.attention.query_key_value.weight", by_head.reshape(-1, width)
        yield f"{name}.attention.dense.weight", np.asarray(block.out)
        yield from _with_bias(f"{name}.post_attention_layernorm", block.mlp_scale)
        yield from _with_bias(f"{name}.mlp.dense_h_to_4h", block.up)
        yield from _with_bias(f"{name}.mlp.dense_4h_to_h", block.down)
    yield from _with_bias("gpt_neox.final_layer_norm", network.scale)


def _with_bias(name: str, weight: Any, transposed: bool = False) -> Named:
    """A weight, and the bias that ours has not, as zeros."""
    array = np.asarray(weight)
    yield f"{name}.weight", array.T if transposed else array
    yield f"{name}.bias", np.zeros(len(array), np.float32)


def _tokenizer(tokenizer: Tokenizer) -> Any:
    """What is in `tokenizer.json`: byte pairs that may never be merged, if it has none."""
    if isinstance(tokenizer, BytePairs):
        return json.loads(tokenizer.facts()["model"])
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    known = _letters_of_bytes()
    if isinstance(tokenizer, Characters):
        known, level = tokenizer.alphabet, {}
    pairs: dict[str, Any] = {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
        "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
        "vocab": {letter: number for number, letter in enumerate(known)}, "merges": [],
    }
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
            "pre_tokenizer": level or None, "post_processor": None, "decoder": level or {"type": "Fuse"},
            "model": pairs}


def _letters_of_bytes() -> str:
    """The letter that stands for each byte there, as GPT-2 has it: its own in Latin-1, where that can be seen."""
    seen = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = iter(range(256, 512))
    return "".join(chr(byte if byte in seen else next(others)) for byte in range(256))
