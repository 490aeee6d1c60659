"""All that is public is in the reference; all commands and their options are on their page."""

import re
from importlib import import_module

import pytest

from descend.cli import COMMANDS
from tools.book import commands, public

# These list names for the rooms beside them, or such that a door lists again.
NOT_PUBLIC = {"descend.cli", "descend.cli.rl", "descend.insight.faults", "descend.optimizers.modifiers"}

# Which need what may not be installed.
OF_EXTRAS = {"descend.notebook", "descend.torch"}


def test_each_module_that_lists_names_has_a_page():
    files = [file for file in public.SOURCE.rglob("__init__.py") if re.search("^__all__ = ", file.read_text(), re.M)]
    listing = {".".join(file.parent.relative_to(public.SOURCE).parts) for file in files}
    assert len(listing) > 10
    assert {name for name in listing if "._" not in name} - NOT_PUBLIC <= set(public.MODULES)


@pytest.mark.parametrize("module", [name for name in public.MODULES if name not in OF_EXTRAS])
def test_names_are_those_that_python_sees(module):
    """Of a module that lists none: what it defines."""
    seen = import_module(module)
    expected = getattr(seen, "__all__", None) or [
        name for name, thing in vars(seen).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module and callable(thing)
    ]  # fmt: skip
    assert sorted(public.names(module)) == sorted(expected)


def test_what_modifiers_list_a_door_lists_again():
    assert set(import_module("descend.optimizers.modifiers").__all__) <= set(public.names("descend.optimizers"))


def test_a_page_shows_each_name_once():
    pages = public.pages()
    for module in public.MODULES:
        page = pages[f"reference/{module}.md"]
        for name in public.names(module):
            full = f"{module}.{name}"
            assert page.count(f"::: {full}\n") + page.count(f"{{ #{full} }}") == 1, full


def test_the_page_of_commands_has_what_help_has(capsys):
    page = commands.page()
    sections = {part.split(" {")[0]: part for part in page.split("\n## descend ")[1:]}
    assert set(sections) == set(COMMANDS)
    for name, command in commands.commands().items():
        command.main(["--help"], standalone_mode=False, prog_name=name)
        listed = re.findall(r"^  (?:-\w, )?(--[\w-]+)", capsys.readouterr().out, re.M)
        assert "--help" in listed
        assert [option for option in listed if option != "--help" and f"`{option}`" not in sections[name]] == []
