"""The first look over a table larger than memory: what its target is, how many rows there are, and some of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow
from pyarrow import compute

from descend._arrow import holds_numbers
from descend._blocks.hashing import Encoding
from descend._blocks.shards import read_ahead
from descend.errors import InputError
from descend.tasks.blocks.files import Place, TableFiles, batches_in, begin_of
from descend.tasks.blocks.lots import SPAN, Lot, RowsOfLot
from descend.tasks.blocks.target import Codes, Tally
from descend.tasks.common.columns import listing

# Of the rows, which models are compared on: of those that are not held out, half at the most.
COMPARED_SHARE = 0.1
# Of a block.
BLOCK = 2**16
# Rows by which it is told that words are those of an identifier, and the share of them that differ.
FEWEST_ROWS, DIFFERENT_SHARE = 100, 0.5


@dataclass(frozen=True)
class FirstLook:
    """What a look finds. `rows`: all that there are; `starts`: the number of the first row of each part; `held_out`:
    what is scored on; `compared`: what models are compared on."""

    tally: Tally
    rows: int
    starts: Mapping[Place, int]
    held_out: RowsOfLot
    compared: RowsOfLot
    schema: pyarrow.Schema

    def both(self) -> Any:
        """The rows that are not learnt from."""
        return pyarrow.concat_tables([drawn.rows(self.schema) for drawn in (self.held_out, self.compared)])


def look_over(
    files: TableFiles, columns: tuple[str, ...], target: str, seed: int, hold_out: float, seen: Callable[[int], None]
) -> FirstLook:
    """Look a table over. `hold_out`: the share of the rows to score on. `seen`: is told of rows that were read.

    **Raises** `InputError` for a target that is none.
    """
    tally, rows, starts = Tally(target), 0, dict[Place, int]()
    compared_share = min(COMPARED_SHARE, (1 - hold_out) / 2)
    held_out = RowsOfLot(Lot(seed, round(hold_out * SPAN)))
    compared = RowsOfLot(Lot(seed, round(compared_share * SPAN), is_lowest=False))
    encoding = Encoding(target, 1, BLOCK, None)
    encoding.refuse(files.schema_of(columns), files.name)
    for shard in files.shards(encoding, columns, least=1):
        starts[begin_of(shard)] = rows
        for batch in read_ahead(batches_in(shard)):
            tally.add(batch.column(target))
            held_out.add(rows, batch)
            compared.add(rows, batch)
            rows += batch.num_rows
            seen(batch.num_rows)
    if not rows:
        raise InputError(f"{files.source!r} has no rows: give a file that has some")
    return FirstLook(tally, rows, starts, held_out, compared, files.schema_of(columns))


def tally_of(files: TableFiles, target: str) -> Tally:
    """What a target's column has, of files of which nothing else is read."""
    tally = Tally(target)
    for shard in files.shards(Encoding(target, 1, BLOCK, None), [target], least=1):
        for batch in batches_in(shard):
            tally.add(batch.column(target))
    return tally


def identifiers(look: FirstLook, features: tuple[str, ...]) -> list[str]:
    """Columns of words of which most rows have one of their own: each would be an input, and tell nothing of others."""
    some = look.both()
    found = []
    for name in features:
        column = some.column(name)
        if holds_numbers(column.type) or len(column) < FEWEST_ROWS:
            continue
        values = compute.cast(column, pyarrow.string()) if pyarrow.types.is_dictionary(column.type) else column
        if compute.count_distinct(values).as_py() > DIFFERENT_SHARE * len(column):
            found.append(name)
    return found


def left_out(names: list[str]) -> list[str]:
    """What to tell of them."""
    is_one = len(names) == 1
    return [f"left out: {listing(names)}, {'a column' if is_one else 'columns'} of words of which most rows have one "
            "of their own, like an identifier"] if names else []


def chosen_rows(look: FirstLook, codes: Codes) -> Callable[[int, pyarrow.RecordBatch], pyarrow.RecordBatch]:
    """What makes, of a block, the rows to learn from: those that have a target, and are in neither lot."""
    lots = look.held_out.lot, look.compared.lot

    def chosen(first: int, batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
        numbers, targets = np.arange(first, first + batch.num_rows), codes.of(batch.column(codes.name))
        mask = codes.known(targets)
        for lot in lots:
            mask &= ~lot.has(numbers)
        return codes.written(batch, targets).filter(pyarrow.array(mask))

    return chosen
