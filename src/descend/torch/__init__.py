"""PyTorch's door: `minimize` trains a module, and `TorchOptimizer` is any optimizer of `descend` in your own loop."""

try:
    import torch as _torch  # noqa: F401  # looked for before anything that needs it
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ImportError("descend.torch needs PyTorch: pip install 'descend[torch]'") from None

from descend.torch._loading import Loaded
from descend.torch._minimize import minimize
from descend.torch._optimizer import TorchOptimizer
from descend.torch._run import ModuleRun
from descend.torch._training import ModuleTrainer

__all__ = ["Loaded", "ModuleRun", "ModuleTrainer", "TorchOptimizer", "minimize"]
