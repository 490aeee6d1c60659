"""Functions to race on, with their minima as the literature has them."""

from dataclasses import dataclass

Point = tuple[float, float]
# From x0 to x1 and from y0 to y1.
Window = tuple[float, float, float, float]


@dataclass(frozen=True)
class Example:
    """A named function: its formula, what part of the plane to show, where to start, its minima in all of the plane,
    and how much noise its gradients have at first."""

    name: str
    title: str
    formula: str
    window: Window
    start: Point
    minima: tuple[Point, ...]
    says: str
    noise: float = 0.0


ORIGIN = ((0.0, 0.0),)
BOWL: Window = (-3.0, 3.0, -2.0, 2.0)

GALLERY = (
    Example("bowl", "Round bowl", "0.5*(x^2 + y^2)", BOWL, (-2.5, 1.5), ORIGIN,
            "Condition 1: the gradient points to the minimum, and a rate of 1 gets there in one step."),
    Example("bowl10", "Bowl of condition 10", "0.5*(x^2 + 10*y^2)", BOWL, (-2.5, 1.5), ORIGIN,
            "A rate that is stable along y is slow along x."),
    Example("bowl100", "Bowl of condition 100", "0.5*(x^2 + 100*y^2)", BOWL, (-2.5, 1.5), ORIGIN,
            "Plain descent needs some hundred steps, momentum some tens."),
    Example("d2l_steep", "Dive into Deep Learning: x1² + 2 x2²", "x^2 + 2*y^2", (-5.5, 1.0, -3.0, 1.0), (-5.0, -2.0),
            ORIGIN, "The book's function for gradient descent, from its start."),
    Example("d2l_flat", "Dive into Deep Learning: 0.1 x1² + 2 x2²", "0.1*x^2 + 2*y^2", (-5.5, 1.0, -3.0, 1.0),
            (-5.0, -2.0), ORIGIN, "The book's function for momentum and the adaptive rules, from its start."),
    Example("noisy", "Noisy bowl", "0.5*(x^2 + 3*y^2)", BOWL, (-2.5, 1.5), ORIGIN,
            "Gradients have noise, as those of batches have: at a constant rate no ball comes to rest.", noise=1.0),
    Example("rosenbrock", "Rosenbrock's banana", "(1 - x)^2 + 100*(y - x^2)^2", (-2.0, 2.0, -1.0, 3.0), (-1.2, 1.0),
            ((1.0, 1.0),), "A bent valley, of condition 2508 at its minimum. Rosenbrock, 1960."),
    Example("beale", "Beale", "(1.5 - x + x*y)^2 + (2.25 - x + x*y^2)^2 + (2.625 - x + x*y^3)^2",
            (-4.5, 4.5, -4.5, 4.5), (1.0, 1.0), ((3.0, 0.5),),
            "Flat around the minimum, steep in the corners. Beale, 1958."),
    Example("himmelblau", "Himmelblau", "(x^2 + y - 11)^2 + (x + y^2 - 7)^2", (-5.0, 5.0, -5.0, 5.0), (0.0, -0.5),
            ((3.0, 2.0), (-2.805118086952745, 3.131312518250573), (-3.779310253377747, -3.283185991286170),
             (3.584428340330492, -1.848126526964404)),
            "Four minima, all of loss 0: which one a ball finds depends on its start. Himmelblau, 1972."),
    Example("saddle", "Saddle", "x^2 - y^2", (-2.0, 2.0, -2.0, 2.0), (-1.5, 0.001), (),
            "It falls for ever along y: near the middle the gradient is small, and plain descent waits."),
    Example("double_well", "Two wells", "(x^2 - 1)^2 + 2*y^2", (-2.0, 2.0, -1.5, 1.5), (0.02, 1.2),
            ((-1.0, 0.0), (1.0, 0.0)), "Two minima, and a saddle between them."),
    Example("monkey", "Monkey saddle", "x^3 - 3*x*y^2", (-1.5, 1.5, -1.5, 1.5), (0.3, 0.6), (),
            "A saddle for two legs and a tail: its Hessian is 0 in the middle, which tells nothing there."),
    Example("ravine", "Ravine", "abs(y - 0.3*sin(3*x)) + 0.05*x^2", (-3.0, 3.0, -1.5, 1.5), (-2.6, 1.0), ORIGIN,
            "A kink runs along the floor: there is no gradient on it, and a constant rate jumps across."),
    Example("ackley", "Ackley",
            "20 + e - 20*exp(-0.2*sqrt(0.5*(x^2 + y^2))) - exp(0.5*(cos(2*pi*x) + cos(2*pi*y)))",
            (-4.0, 4.0, -4.0, 4.0), (-2.7, 2.2), ORIGIN,
            "Many minima around a funnel, whose tip is a kink. Ackley, 1987."),
    Example("rastrigin", "Rastrigin", "20 + x^2 - 10*cos(2*pi*x) + y^2 - 10*cos(2*pi*y)", (-4.0, 4.0, -4.0, 4.0),
            (-2.6, 2.3), ORIGIN, "A bowl full of minima. Rastrigin, 1974."),
)
BY_NAME = {example.name: example for example in GALLERY}
