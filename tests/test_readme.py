"""What the README shows must run."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run():
    code = "\n".join(re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL))
    names = {}
    exec(compile(code, str(README), "exec"), names)
    assert names["fit"].reason.name == "budget"
    assert names["run"].step == names["fit"].run.step + 100
