"""The halves of the benchmark of tables: what may be looked at, and what judges."""

from hashlib import sha256

from benchmarks._tables import KINDS, TABLES, Table, calibration, judging

NAMED = {"ames", "mlc_churn", "credit_data", "digits", "wine", "breast_cancer", "iris", "diabetes", "diamonds"}


def test_the_halves_are_disjoint_and_all() -> None:
    assert {table.name for table in calibration(TABLES)} | {table.name for table in judging(TABLES)} \
        == {table.name for table in TABLES}
    assert not set(calibration(TABLES)) & set(judging(TABLES))


def test_there_are_enough_of_each_kind() -> None:
    assert len(TABLES) >= 40
    assert len(judging(TABLES)) >= 20
    for half in (calibration(TABLES), judging(TABLES)):
        assert all(sum(table.kind == kind for table in half) >= 5 for kind in KINDS)
    assert min(table.rows for table in TABLES) >= 150
    assert max(table.rows for table in TABLES) <= 400_000


def test_what_was_known_judges_nothing() -> None:
    assert {table.name for table in calibration(TABLES)} >= NAMED
    assert not any(table.known for table in judging(TABLES))


def test_of_four_neighbours_the_one_with_the_least_hash_is_for_calibration() -> None:
    names = list("ihgfedcba")
    fours = names[:4], names[4:8], names[8:]
    tables = [Table(name, "package:item", "y", "binary", rows) for rows, name in enumerate(names)]
    least = [min(four, key=lambda name: sha256(name.encode()).hexdigest()) for four in fours]
    assert [table.name for table in calibration(tables)] == least


def test_no_table_comes_twice() -> None:
    assert len({table.name for table in TABLES}) == len({table.source for table in TABLES}) == len(TABLES)
