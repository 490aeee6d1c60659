"""How many programs are compiled.

JAX tells so of a program that it then finds on disk, too: what is kept there changes no number.
"""

import contextlib

from jax import monitoring

EVENT = "/jax/core/compile/backend_compile_duration"


@contextlib.contextmanager
def programs():
    """A list that grows by the seconds of each program that is compiled within."""
    seconds = []

    def listener(event, duration, **_):
        if event == EVENT:
            seconds.append(duration)

    monitoring.register_event_duration_secs_listener(listener)
    try:
        yield seconds
    finally:
        monitoring.unregister_event_duration_listener(listener)
