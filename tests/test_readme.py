"""What the README shows must run."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a run is saved
    code = "\n".join(re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL))
    names = {}
    exec(compile(code, str(README), "exec"), names)
    assert names["fit"].reason.name == "budget"
    assert names["same"].step == 100
    assert len(names["raced"]) == 4
