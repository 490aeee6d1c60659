"""Tables as nobody should write them: odd schemas, extreme values, and files of which some bytes are changed."""

import io
import json
import struct
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, feather, ipc, parquet

FIXED = [pa.int8(), pa.uint64(), pa.int64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.date32(),
         pa.date64(), pa.decimal128(38, 3), pa.decimal256(60, -5), *map(pa.timestamp, ("s", "ms", "us", "ns")),
         pa.timestamp("s", "Europe/Zurich"), pa.timestamp("us", "nowhere"), pa.time32("s"), pa.time32("ms"),
         pa.time64("us"), pa.time64("ns"), *(pa.duration(unit) for unit in ("s", "ns")), pa.month_day_nano_interval(),
         pa.binary(5), pa.null()]  # fmt: skip
NAMES = ["a", "b", "t", "", " ", "a\nb", "None", "index", "__index_level_0__", "prediction", "é", "x" * 300]
EXTREMES = [0, 1, -1, 2**31 - 1, -(2**31), 2**30, 127, 255]
FORMATS = ("csv", "parquet", "feather", "packed feather", "stream")


def damaged_file(seed: int) -> bytes:
    """The bytes of a file; in three files of five some are changed."""
    rng = np.random.default_rng(seed)
    raw = _written(FORMATS[seed % len(FORMATS)], _table(rng))
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.6 else 0):
        raw = changed(raw, rng)
    return raw


def _table(rng: np.random.Generator) -> pa.Table:
    rows, columns = int(rng.choice([0, 1, 2, 30, 30])), int(rng.integers(1, 5))
    names = [str(rng.choice(NAMES)) + ("" if rng.random() < 0.1 else str(i)) for i in range(columns)]
    table = pa.table([_column(rows, rng) for _ in names], names=names)
    if rng.random() < 0.3:
        told = {"index_columns": ["gone"], "columns": [], "column_indexes": [{"name": "x"}]}
        odd = [b"", b"\xff", b"[]", b"{}", json.dumps(told).encode()]
        table = table.replace_schema_metadata({"pandas": odd[rng.integers(len(odd))]})
    return table


def _column(rows: int, rng: np.random.Generator) -> Any:
    """Random bytes for what has a fixed width; words, lists and codes of categories."""
    kind = rng.random()
    words = pa.array([[None, "red", "1.5", "2020-01-01", "", "a\nb"][i] for i in rng.integers(0, 6, rows)], pa.string())
    if kind < 0.25:
        return words if rng.random() < 0.5 else words.dictionary_encode()
    if kind < 0.35:
        return pa.array([[1, 2]] * rows, pa.list_(pa.int8())) if rng.random() < 0.5 else pa.array([{"a": 1}] * rows)
    if kind < 0.45:
        return _of_random_bytes(words.type, rows, rng) if rng.random() < 0.5 else pa.array([b"\xff\x00"] * rows)
    return _of_random_bytes(FIXED[rng.integers(len(FIXED))], rows, rng)


def _of_random_bytes(kind: Any, rows: int, rng: np.random.Generator) -> Any:
    if pa.types.is_null(kind):
        return pa.nulls(rows)
    valid = pa.py_buffer(rng.bytes(rows // 8 + 1)) if rng.random() < 0.5 else None
    if kind == pa.string():  # one letter or byte a word
        offsets = np.arange(rows + 1, dtype=np.int32)
        return pa.Array.from_buffers(kind, rows, [valid, pa.py_buffer(offsets), pa.py_buffer(rng.bytes(rows))])
    return pa.Array.from_buffers(kind, rows, [valid, pa.py_buffer(rng.bytes(rows * 32 + 1))])


def _written(form: str, table: pa.Table) -> bytes:
    """The file; CSV where the format cannot hold the table, and a fixed text where CSV cannot, either."""
    sink = io.BytesIO()
    try:
        if form == "parquet":
            parquet.write_table(table, sink)
        elif form == "csv":
            csv.write_csv(table, sink)
        elif form == "stream":
            with ipc.new_stream(sink, table.schema) as stream:
                stream.write_table(table)
        else:
            feather.write_feather(table, sink, compression="lz4" if form == "packed feather" else "uncompressed")
    except (pa.ArrowException, OSError):
        return b'a;b\n1,5;"x\ny"\n2,5;z\n'
    return sink.getvalue()


def changed(raw: bytes, rng: np.random.Generator) -> bytes:
    """A bit, a number or some bytes are others, or missing, or too many."""
    if len(raw) == 0:
        return rng.bytes(4)
    content, place = bytearray(raw), int(rng.integers(max(1, len(raw) - 4)))
    match int(rng.integers(5)):
        case 0:
            content[place] ^= 1 << int(rng.integers(8))
        case 1:
            content[place // 4 * 4:place // 4 * 4 + 4] = struct.pack("<i", rng.choice(EXTREMES))
        case 2:
            return raw[:place + 1]
        case 3:
            content[place:place] = rng.bytes(4)
        case _:
            other = int(rng.integers(len(content)))
            content[place:place + 8] = content[other:other + 8]
    return bytes(content)
