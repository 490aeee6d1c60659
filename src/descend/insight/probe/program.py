"""A loss's program with all that is known of it before it is evaluated."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from descend.insight.probe.axes import Axes, axes_of
from descend.insight.probe.flow import Flow
from descend.insight.probe.graph import Graph, Op, Value
from descend.insight.probe.ranges import Range, bounds_of, ranges_of
from descend.insight.probe.sites import Site, line_of


@dataclass(eq=False, repr=False)
class Program:
    """A graph, what depends on what in it (`flow`), what its axes are, and between which bounds its numbers lie."""

    graph: Graph

    @cached_property
    def flow(self) -> Flow:
        """What depends on what."""
        return Flow(self.graph)

    @cached_property
    def axes(self) -> dict[Value, Axes]:
        """Along which axes examples and units lie."""
        return axes_of(self.graph)

    @cached_property
    def ranges(self) -> dict[Value, Range]:
        """The bounds of all results."""
        return ranges_of(self.graph)

    def range(self, value: Value) -> Range:
        """The bounds of an array."""
        return bounds_of(value, self.ranges)

    @cached_property
    def sites(self) -> dict[Op, Site]:
        """Where each operation comes from."""
        found: dict[Op, Site] = {}
        seen: Counter[tuple[str, str, int]] = Counter()
        for op in (*(op for op in self.graph.ops if op.is_equation), *self.graph.customs):
            file, line, function, source = line_of(op.equations)
            kind = (op.primitive, file, line)
            found[op] = Site(op.primitive, op.result.shape if op.results else (), file, line, function, source,
                             op.within, seen[kind])
            seen[kind] += 1
        return found
