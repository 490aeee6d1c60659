"""The numbers that the lessons tell, each once, as it is printed: pages name them, and figures come out at them.

Those of "Dive into Deep Learning", chapter 12, are held to its runs by `tests/test_d2l.py`; all others to formulas, in
`tests/studio/lessons/test_numbers.py`.
"""

# By the name that a page has for it: `{{slow}}`.
NUMBERS = {
    # Linear regression, by hand: three points, one step.
    "line_m": "1.5333",
    "line_b": "0.6667",
    # tanh: its slope at 4.
    "tanh_slope": "0.0013",
    # x², from 10, ten steps at .2, .05 and 1.1; and x cos(0.15πx) at 2.
    "descent_good": "0.060466",
    "descent_slow": "3.486784",
    "descent_wild": "61.917364",
    "descent_local": "-1.528166",
    # x² + 2y² from (−5, −2), twenty steps at .1.
    "bowl_x": "-0.057646",
    "bowl_y": "-0.000073",
    # Newton on x cos(0.15πx) from 10, ten steps at 1 and at .5.
    "newton_x": "26.834133",
    "newton_loss": "26.7506",
    "newton_curvature": "-6.0",
    "newton_half": "7.269860",
    "newton_half_curvature": "1.8",
    # A noisy bowl x² + 2y² at the constant rate .1: the spread around the minimum that remains.
    "spread_x": "0.1667",
    "spread_y": "0.125",
    # And at a rate that decays exponentially: the mean of x after 1,000 steps.
    "exponential_x": "-0.8257",
    # The airfoil's regression.
    "airfoil_floor": "0.24169",
    "airfoil_sharpness": "2.0985",
    "airfoil_limit": "0.953",
    "airfoil_step_6": "0.244",
    "airfoil_step_100": "62170",
    # 0.1x² + 2y² from (−5, −2), twenty steps.
    "plain_x": "-0.943467",
    "plain_y": "-0.000073",
    "wild_x": "-0.387814",
    "wild_y": "-1673.365",
    "heavy_x": "0.007188",
    "heavy_y": "0.002553",
    "light_x": "-0.126340",
    "light_y": "-0.186632",
    "light_product": "2.4",
    "light_limit": "2.5",
    "light_factor": "-0.859",
    "adagrad_x": "-2.382563",
    "adagrad_y": "-0.158591",
    "adagrad_large_x": "-0.002295",
    "rmsprop_x": "-0.010599",
}
