"""Encodings, delimiters, headers, comments, units and totals."""

import codecs

from tasks.common.messy.case import C, N, case

CITIES = {"city": (C, ["Zürich", "Genève"]), "x": (N, [1.5, 2.5])}
TWO = {"a": (N, [1, 3]), "b": (N, [2.5, 4.5])}


def cities(encoding: str, *told: str, mark: bytes = b"") -> object:
    return case(f"cities in {encoding}", mark + "city;x\nZürich;1.5\nGenève;2.5\n".encode(encoding), CITIES, *told)


def foreign(encoding: str, words: tuple[str, str], told: str) -> object:
    text = f"city;x\n{words[0]};1.5\n{words[1]};2.5\n"
    return case(f"cities in {encoding}", text.encode(encoding), {"city": (C, list(words)), "x": (N, [1.5, 2.5])}, told)


CASES = [
    cities("utf-8"),
    cities("utf-8", mark=codecs.BOM_UTF8),
    cities("utf-16"),
    cities("utf-32"),
    cities("cp1252", "no UTF-8: read as windows-1252"),
    case("euros in Windows-1252", "x;k\n5,50 €;a\n7 €;b\n".encode("cp1252"), {"x": (N, [5.5, 7]), "k": (C, ["a", "b"])},
         "no UTF-8: read as windows-1252"),
    foreign("cp1250", ("Łódź", "Gdańsk"), "no UTF-8: read as windows-1250"),
    foreign("cp1251", ("Москва", "Казань"), "no UTF-8: read as cp1251"),
    foreign("koi8_r", ("Москва", "Казань"), "no UTF-8: read as koi8_r"),
    foreign("shift_jis", ("東京都千代田区", "大阪府大阪市"), "no UTF-8: read as cp932"),
    foreign("gb18030", ("北京市海淀区", "上海市浦东新区"), "no UTF-8: read as gb18030"),
    foreign("cp949", ("서울특별시", "부산광역시"), "no UTF-8: read as cp949"),
    case("semicolons", "a;b\n1;2.5\n3;4.5\n", TWO),
    case("tabs", "a\tb\n1\t2.5\n3\t4.5\n", TWO),
    case("bars", "a|b\n1|2.5\n3|4.5\n", TWO),
    case("lines that end as on Windows", "a,b\r\n1,2.5\r\n3,4.5\r\n", TWO),
    case("no line end at the end", "a,b\n1,2.5\n3,4.5", TWO),
    case("blanks", "a b\n1 2.5\n3 4.5\n", TWO),
    case("blanks in columns", "  a     b\n  1   2.5\n  3   4.5\n", TWO),
    case("wide blanks around words", "full name    x\nJohn Smith   1.5\nAnn Lee      2.5\n",
         {"full name": (C, ["John Smith", "Ann Lee"]), "x": (N, [1.5, 2.5])}),
    case("names of two words are one column", "full name\nJohn Smith\nAnn Lee\n",
         {"full name": (C, ["John Smith", "Ann Lee"])}),
    case("words with commas are one column", "word\nhello, world\nlong; winding\n",
         {"word": (C, ["hello, world", "long; winding"])}),
    case("quotes with line ends", 'a,b\n"one\ntwo",1.5\n"say ""hi""",2.5\n',
         {"a": (C, ["one\ntwo", 'say "hi"']), "b": (N, [1.5, 2.5])}),
    case("quoted numbers", '"a","b"\n"1","2.5"\n"3","4.5"\n', TWO),
    case("quoted thousands", 'a,b\n"1,234.5",x\n"5,000.25",y\n', {"a": (N, [1234.5, 5000.25]), "b": (C, ["x", "y"])}),
    case("blank lines", "a,b\n\n1,2.5\n\n3,4.5\n\n", TWO),
    case("rows of delimiters", "a,b\n1,2.5\n,\n3,4.5\n,\n", TWO, "2 rows that are empty are left out"),
    case("a delimiter at each end", "a;b;\n1;2.5;\n3;4.5;\n", TWO),
    case("a delimiter at the end of rows alone", "a;b\n1;2.5;\n3;4.5;\n", TWO),
    case("comments above", "# from a probe\n# in 2024\na,b\n1,2.5\n3,4.5\n", TWO, "2 lines of comments"),
    case("comments between", "# from a probe\na,b\n1,2.5\n# stopped\n3,4.5\n", TWO, "2 lines of comments"),
    case("a header behind #", "# from a probe\n# a b\n1 2.5\n3 4.5\n", TWO, "1 lines of comments"),
    case("a title above", "Sales of 2024\n\na,b\n1,2.5\n3,4.5\n5,6.5\n",
         {"a": (N, [1, 3, 5]), "b": (N, [2.5, 4.5, 6.5])}, "2 lines above the header"),
    case("no header", "5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,3.3,virginica\n",
         {"column 1": (N, [5.1, 4.9, 6.3]), "column 2": (N, [3.5, 3.0, 3.3]),
          "column 3": (C, ["setosa", "setosa", "virginica"])}, "the first line is one of values, and no header"),
    case("no header, numbers alone", "1.5,2\n3.5,4\n5.5,7\n", {"column 1": (N, [1.5, 3.5, 5.5]),
         "column 2": (N, [2, 4, 7])}, "the first line is one of values"),
    case("years as a header", "2019,2020\n1.5,2.5\n3.5,4.5\n", {"2019": (N, [1.5, 3.5]), "2020": (N, [2.5, 4.5])}),
    case("an index without a name", ",a\n0,1.5\n1,2.5\n2,4.5\n", {"": ("ignored", None), "a": (N, [1.5, 2.5, 4.5])}),
    case("two columns without a name", ",a,\n7,1.5,x\n7.5,2.5,y\n",
         {"column 1": (N, [7, 7.5]), "a": (N, [1.5, 2.5]), "column 3": (C, ["x", "y"])},
         "2 columns without a name are called by their numbers"),
    case("units below the header", "time,length\ns,cm\n1.5,2\n2.5,3\n3.5,5\n",
         {"time": (N, [1.5, 2.5, 3.5]), "length": (N, [2, 3, 5])}, "the row below the header, which tells units"),
    case("a row of words that are there again is none of units", "x,k\nabs,a\n1.5,a\n2,b\n3,a\n",
         {"x": (C, ["abs", "1.5", "2", "3"]), "k": (C, ["a", "a", "b", "a"])}),
    case("units in brackets", "name,length\n,(cm)\nx,2.5\ny,3.5\nz,5.5\n",
         {"name": (C, ["x", "y", "z"]), "length": (N, [2.5, 3.5, 5.5])}, "which tells units"),
    case("totals at the end", "k,x\na,1.5\nb,2.5\nTotal,4\n", {"k": (C, ["a", "b"]), "x": (N, [1.5, 2.5])},
         "the last row, which tells totals"),
    case("a class that is called total", "k,x\ntotal,1.5\nb,2.5\ntotal,4\n",
         {"k": (C, ["total", "b", "total"]), "x": (N, [1.5, 2.5, 4])}),
    case("lines of Orange", "kind\tx\nd\tcontinuous\nclass\t\na\t1.5\nb\t2.5\n",
         {"kind": (C, ["a", "b"]), "x": (N, [1.5, 2.5])}),
]
