"""The public names of `descend`, and the pages of the reference that show each of them."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
# What people import from, in the order in which they meet it, and what is there. Read and not imported: PyTorch's door
# is shown where there is no PyTorch.
MODULES = {
    "descend": "the everyday doors",
    "descend.optimizers": "rules, searches and modifiers",
    "descend.schedules": "learning rates as values",
    "descend.sources": "where batches come from",
    "descend.losses": "losses, one number for each example",
    "descend.observers": "who looks on",
    "descend.insight": "how a loss curves and looks, and what went wrong",
    "descend.insight.probe": "a look into a loss, equation by equation",
    "descend.linear": "linear models, with certificates",
    "descend.neural": "networks as scikit-learn estimators",
    "descend.rl": "policies",
    "descend.rl.environments": "worlds to learn in, written in JAX",
    "descend.tasks.table": "a model of yours among those of `descend fit`",
    "descend.torch": "PyTorch's door",
    "descend.notebook": "races in a notebook",
}

# Where most of what people call is written in a base.
OF_ESTIMATORS = frozenset({"descend.linear", "descend.neural", "descend.rl"})


def names(module: str) -> list[str]:
    """The public names of a module: those that it lists, or else its own functions and classes that are not private."""
    tree = _parsed(module)
    for node in tree.body:
        if isinstance(node, ast.Assign) and "__all__" in map(ast.unparse, node.targets):
            return list(ast.literal_eval(node.value))
    return [node.name for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")]


def anchors() -> dict[str, list[str]]:
    """The anchors that each page of the reference must have."""
    return {f"reference/{module}.html": [f"{module}.{name}" for name in names(module)] for module in MODULES}


def pages() -> dict[str, str]:
    """The pages of the reference by their files; mkdocstrings fills them."""
    return {"reference/index.md": _overview()} | {f"reference/{module}.md": _page(module) for module in MODULES}


def _page(module: str) -> str:
    shown = [f"# {module}", f"::: {module}\n    options:\n      members: false\n      show_root_heading: false\n"
             "      show_root_toc_entry: false"]
    how = "\n    options:\n      inherited_members: true" if module in OF_ESTIMATORS else ""
    for name in sorted(names(module), key=str.casefold):
        full = f"{module}.{name}"
        is_module = full in MODULES
        shown.append(f"## {name} {{ #{full} }}\n\nA module: [{full}]({full}.md)." if is_module else f"::: {full}{how}")
    return "\n\n".join(shown) + "\n"


def _overview() -> str:
    rows = "\n".join(f"| [`{module}`]({module}.md) | {what} | {', '.join(map(_code, _some(module)))} |"
                     for module, what in MODULES.items())
    says = ("Each public name, from its docstring, whose examples are run by the tests. What is not here is not "
            "public, and may change. The command line has a page of its own: [commands](commands.md).")
    return f"# Reference\n\n{says}\n\n| module | what it has | such as |\n| --- | --- | --- |\n{rows}\n"


def _some(module: str) -> list[str]:
    return names(module)[:4]


def _code(name: str) -> str:
    return f"`{name}`"


def _parsed(module: str) -> ast.Module:
    path = SOURCE / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))
