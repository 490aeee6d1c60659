"""JSON, workbooks, databases and archives."""

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import zipfile
from contextlib import closing

import pyarrow

from tasks.common.messy.case import B, C, D, N, X, case

TEXT = b"a,b\n1,x\n3.5,y\n"
TABLE = {"a": (N, [1, 3.5]), "b": (C, ["x", "y"])}
RECORDS = [{"a": 1, "b": "x"}, {"a": 3.5, "b": "y"}]


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in files.items():
            # Of one day: the clock's would be in the names of tests, and workers would collect different ones.
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), raw, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def sheet(rows: list[list[object]]) -> str:
    """The XML of a sheet of Excel's: numbers as they are, texts within their cells, truth as 1 of type b."""
    def cell(value: object) -> str:
        if isinstance(value, bool):
            return f'<c t="b"><v>{int(value)}</v></c>'
        if isinstance(value, int | float):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>' if value else "<c/>"

    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<worksheet xmlns="{space}"><sheetData>{lines}</sheetData></worksheet>'


def xlsx(**sheets: list[list[object]]) -> bytes:
    """A workbook, by the standard ECMA-376."""
    office, package = "http://schemas.openxmlformats.org", "http://schemas.openxmlformats.org/package/2006"
    kinds = f"{office}/officeDocument/2006/relationships"
    names = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in enumerate(sheets, 1))
    links = "".join(f'<Relationship Id="r{i}" Type="{kinds}/worksheet" Target="worksheets/sheet{i}.xml"/>'
                    for i in range(1, len(sheets) + 1))
    main = f"{office}/spreadsheetml/2006/main"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"/>')
        archive.writestr("_rels/.rels", f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" '
                         f'Type="{kinds}/officeDocument" Target="xl/workbook.xml"/></Relationships>')
        archive.writestr("xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{kinds}"><sheets>{names}</sheets>'
                         "</workbook>")
        archive.writestr("xl/_rels/workbook.xml.rels",
                         f'<Relationships xmlns="{package}/relationships">{links}</Relationships>')
        for i, rows in enumerate(sheets.values(), 1):
            archive.writestr(f"xl/worksheets/sheet{i}.xml", sheet(rows))
    return content.getvalue()


def ods(rows: list[list[object]]) -> bytes:
    """A workbook, by the standard of OpenDocument."""
    def cell(value: object) -> str:
        if isinstance(value, int | float):
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'

    lines = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
                      for name in ("office", "table", "text"))
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("META-INF/manifest.xml",
                         '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
                         f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
                         "</manifest:manifest>")
        archive.writestr("content.xml", f"<office:document-content {spaces}><office:body><office:spreadsheet>"
                         f'<table:table table:name="Sheet1">{lines}</table:table></office:spreadsheet></office:body>'
                         "</office:document-content>")
    return content.getvalue()


def sqlite(*statements: str) -> bytes:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        return connection.serialize()


CASES = [
    case("gzip", gzip.compress(TEXT), TABLE, suffix=".csv.gz"),
    case("bzip2", bz2.compress(TEXT), TABLE, suffix=".csv.bz2"),
    case("xz", lzma.compress(TEXT), TABLE, suffix=".csv.xz"),
    case("zstd", pyarrow.compress(TEXT, "zstd", asbytes=True), TABLE, suffix=".csv.zst"),
    case("zip", zipped({"t.csv": TEXT}), TABLE, suffix=".zip"),
    case("zip from a Mac", zipped({"data/t.csv": TEXT, "__MACOSX/data/._t.csv": b"x"}), TABLE, suffix=".zip"),
    case("lines of JSON", "\n".join(map(json.dumps, RECORDS)), TABLE, suffix=".jsonl"),
    case("a list of records", json.dumps(RECORDS, indent=1), TABLE, suffix=".json"),
    case("a list of rows", json.dumps([["a", "b"], [1, "x"], [3.5, "y"]]), TABLE, suffix=".json"),
    case("lists of columns", json.dumps({"a": [1, 3.5], "b": ["x", "y"]}), TABLE, suffix=".json"),
    case("what a service answers", json.dumps({"count": 2, "results": RECORDS}), TABLE, suffix=".json"),
    case("records within records", json.dumps([{"a": {"b": 1.5}, "c": "x"}, {"a": {"b": 2.5}, "c": "y"}]),
         {"c": (C, ["x", "y"]), "a.b": (N, [1.5, 2.5])}, suffix=".json"),
    case("records with gaps", '{"a": 1.5}\n{"a": null, "b": "01"}\n{"a": 2.5, "b": "02"}\n',
         {"a": (N, [1.5, None, 2.5]), "b": (C, ["(missing)", "01", "02"])}, "codes with leading zeros",
         suffix=".jsonl"),
    case("truth in JSON", '[{"a": true, "b": 1.5}, {"a": false, "b": 2.5}]', {"a": (B, [1, 0]), "b": (N, [1.5, 2.5])},
         suffix=".json"),
    case("a workbook", xlsx(Prices=[["a", "b"], [1, "x"], [3.5, "y"]]), TABLE, suffix=".xlsx"),
    case("a workbook with a title, empty sheets and codes",
         xlsx(Prices=[["zip", "x", "ok"], ["01234", 1.234, True], ["90210", 2.345, False]], Sheet2=[]),
         {"zip": (C, ["01234", "90210"]), "x": (N, [1.234, 2.345]), "ok": (B, [1, 0])}, "codes with leading zeros",
         suffix=".xlsx"),
    case("a workbook with totals", xlsx(S=[["k", "x"], ["a", 1.5], ["b", 2.5], ["Total", 4]]),
         {"k": (C, ["a", "b"]), "x": (N, [1.5, 2.5])}, "which tells totals", suffix=".xlsx"),
    case("a workbook of OpenDocument", ods([["a", "b"], [1, "x"], [3.5, "y"]]), TABLE, suffix=".ods"),
    case("a database", sqlite("CREATE TABLE t (a REAL, b TEXT)", "INSERT INTO t VALUES (1, 'x'), (3.5, 'y')"), TABLE,
         suffix=".db"),
    case("a database with gaps, codes and bytes", sqlite(
        "CREATE TABLE t (a REAL, b TEXT, c BLOB, d TEXT)",
        "INSERT INTO t VALUES (1.5, '01', x'00', '2024-01-31'), (NULL, '02', x'01', '2024-02-01')"),
        {"a": (N, [1.5, None]), "b": (C, ["01", "02"]), "c": (X, None), "d": (D, ["2024-01-31", "2024-02-01"])},
        "codes with leading zeros", suffix=".sqlite"),
]
