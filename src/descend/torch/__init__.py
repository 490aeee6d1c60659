"""Every optimizer of `descend` as a `torch.optim.Optimizer`: see `TorchOptimizer`."""

try:
    import torch as _torch  # noqa: F401  # looked for before anything that needs it
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ImportError("descend.torch needs PyTorch: pip install 'descend[torch]'") from None

from descend.torch._loading import Loaded
from descend.torch._optimizer import TorchOptimizer

__all__ = ["Loaded", "TorchOptimizer"]
