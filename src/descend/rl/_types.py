"""Types that more than one module speaks of."""

import jax
import numpy as np

# A policy is trained in a compiled program, where arrays are JAX's, and acts on the host, where they are NumPy's: there
# a dispatch to JAX for each step takes longer than the step. What serves both takes either.
Array = jax.Array | np.ndarray
