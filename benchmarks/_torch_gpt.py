"""Our GPT in PyTorch, with the fused attention and the same first weights."""

import equinox as eqx
import jax
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from descend.neural._gpt import GPT


class Model(nn.Module):
    """Learned positions, as in nanoGPT."""

    def __init__(self, start: GPT):
        super().__init__()
        parameter = lambda x: nn.Parameter(torch.tensor(np.asarray(x)))
        self.flat = nn.ParameterList([parameter(x) for x in jax.tree.leaves(eqx.filter(start, eqx.is_array))])
        self.heads = start.shape.heads

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The scores of what follows each token."""
        table, positions, *layers, last = self.flat
        x = functional.embedding(inputs, table) + positions.T
        for i in range(0, len(layers), 6):
            scale, qkv, out, mlp_scale, up, down = layers[i : i + 6]
            parts = functional.linear(_norm(x, scale), qkv).chunk(3, dim=2)
            q, k, v = (part.view(*part.shape[:2], self.heads, -1).transpose(1, 2) for part in parts)
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + functional.linear(mixed.transpose(1, 2).reshape(x.shape), out)
            x = x + functional.linear(functional.gelu(functional.linear(_norm(x, mlp_scale), up)), down)
        return functional.linear(_norm(x, last), table)


def _norm(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(x, scale.shape, scale, eps=1e-5)
