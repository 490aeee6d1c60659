"""`python -m benchmarks._scale_process WORKLOAD BATCH CORES ['INDEX COUNT PORT']`: one that steps when told to.

It runs on these cores alone. A line with a number, on its standard input, has it make as many steps and answer with the
milliseconds of one. "reduce" has it add up, among all processes, as many numbers as there are parameters, some times.
"""

import os
import sys
import time
from typing import Any

REDUCTIONS = 50
ANSWER = "= "


def main(workload: str, batch: str, cores: str, member: str = "") -> None:
    """Get ready, say so, and do what the lines say."""
    # Before JAX counts its threads.
    os.sched_setaffinity(0, set(map(int, cores.split(","))))
    import jax

    if member:
        index, count, port = member.split()
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(f"127.0.0.1:{port}", int(count), int(index))
    run = _begun(workload, int(batch))
    parameters = _numbers(run.params)
    run, _ = run.advance(2)
    _answer(0.0)
    for line in sys.stdin:
        if line.strip() == "reduce":
            _answer(_reductions(parameters))
            continue
        begin = time.perf_counter()
        run, _ = run.advance(int(line))
        _answer(1e3 * (time.perf_counter() - begin) / int(line))


def _answer(number: float) -> None:
    # Marked, as gloo prints lines of its own.
    print(f"{ANSWER}{number}", flush=True)


def _begun(workload: str, batch: int) -> Any:
    from benchmarks._scale_workloads import WORKLOADS
    from descend import Adam, begin
    from descend._division import Division
    from descend.sources import MiniBatches

    model, loss, data = WORKLOADS[workload]()
    return begin(loss, model, MiniBatches(data, batch, division=Division.among_all()), optimizer=Adam(1e-3))


def _numbers(params: Any) -> int:
    import jax

    return sum(leaf.size for leaf in jax.tree.leaves(params) if hasattr(leaf, "size"))


def _reductions(size: int) -> float:
    """Milliseconds in which so many numbers of each process are added up."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    from jax.sharding import NamedSharding, PartitionSpec

    mesh = jax.make_mesh((jax.device_count(),), ("rows",))
    rows = NamedSharding(mesh, PartitionSpec("rows"))
    mine = jax.make_array_from_process_local_data(rows, np.ones((1, size), np.float32))

    # A loop within one program, as a descent's is.
    def added(of_each: Any) -> Any:
        once = lambda _, total: total * 0.5 + jnp.sum(of_each * total[0], axis=0)
        return jax.lax.fori_loop(0, REDUCTIONS, once, jnp.ones(size))

    compiled = jax.jit(added, out_shardings=NamedSharding(mesh, PartitionSpec()))
    compiled(mine).block_until_ready()
    begin = time.perf_counter()
    compiled(mine).block_until_ready()
    return 1e3 * (time.perf_counter() - begin) / REDUCTIONS


if __name__ == "__main__":
    main(*sys.argv[1:])
