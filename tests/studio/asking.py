"""What a page asks, what somebody might ask who means harm, and frames as a page reads them."""

import copy
import json
import struct

import numpy as np

RACE = {
    "kind": "race",
    "id": 7,
    "function": {"formula": "x^2 + 3*y^2"},
    "start": [-1.5, 2],
    "steps": 300,
    "balls": [{"rule": "adam", "settings": {"learning_rate": 0.1}}],
    "noise": 0,
    "seed": 0,
}
SURFACE = {"kind": "surface", "id": 8, "function": {"name": "rosenbrock"}, "window": [-2, 2, -1, 3], "size": [16, 12]}
TO_DRAW = {name: value for name, value in SURFACE.items() if name != "id"}


def unpacked(made):
    """Header and numbers of a frame, as the page reads them."""
    (length,) = struct.unpack_from("<I", made)
    assert length % 4 == 0
    return json.loads(made[4 : 4 + length]), np.frombuffer(made[4 + length :], "<f4")


VALUES = [
    None,
    True,
    -1,
    0,
    1,
    2**63,
    10**400,
    0.5,
    float("nan"),
    float("inf"),
    -float("inf"),
    1e308,
    "",
    "x",
    "race",
    "hello",
    "\0",
    "\ud800",
    "<script>",
    "x" * 3000,
    [],
    [[]],
    [1, 2],
    [None],
    {},
    {"name": "bowl"},
    {"formula": "x^2"},
    {"": {}},
    {"rule": "sgd"},
    {"__proto__": 1},
]


OFFERED = (RACE, SURFACE, {"kind": "hello", "token": "x", "room": "race"})


def hostile(rng, messages=OFFERED):
    """A message of the page with some of it changed, as text: fields, what is within them, or characters."""
    message = json.loads(json.dumps(rng.choice(messages)))
    for _ in range(rng.randint(1, 2)):
        place = message
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = rng.choice([*keys, "kind"] if isinstance(place, dict) else keys or [None])
            if key is None:
                break
            within = place[key] if key in keys else None
            if isinstance(within, dict | list) and within and rng.random() < 0.7:
                place = within
                continue
            place[key] = copy.deepcopy(rng.choice(VALUES))
            break
    text = json.dumps(message)
    if rng.random() < 0.3:
        cut = rng.randrange(len(text))
        scrap = rng.choice(["", "{" * 300, "[" * 5000, "\0", '"', "," * 20, "9" * 5000, "🙂"])
        text = text[:cut] + scrap + text[cut + 1 :]
    return text
