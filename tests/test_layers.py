"""The two storeys of the house: what may import what, and no private name of another.

Imports under `if TYPE_CHECKING:` do not count: they do not happen."""
import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from notebooks import ROOT, directives, is_code, name_of, notebooks, read, source

PACKAGE = ROOT/'minifastai'
BY_HAND = 'all', '__init__', '__main__'
# modules of the engine room that stand on top of everything
ON_TOP = 'checks', 'engine.checks', 'testing'


def exported() -> dict[str, str]:
    "{module: the notebook that it first comes from}, lessons in their order"
    found: dict[str, str] = {}
    for path in notebooks():
        for cell in filter(is_code, read(path)['cells']):
            name = directives(source(cell)).get('default_exp')
            if name: found.setdefault(name, name_of(path))
    return found


EXPORTED = exported()
LESSONS = [name for name, notebook in EXPORTED.items() if '/' not in notebook]
ENGINE = [name for name, notebook in EXPORTED.items() if '/' in notebook]
ON_TOP = *ON_TOP, *(name for name in ENGINE if name.startswith('exercises.'))


def path_of(name: str) -> Path: return PACKAGE/f'{name.replace(".", "/")}.py'


def is_module(name: str) -> bool: return path_of(name).exists()


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    "All nodes but those under `if TYPE_CHECKING:`"
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If):
            if ast.unparse(node.test).endswith('TYPE_CHECKING'): continue
        yield node
        yield from nodes(node)


def home(node: ast.ImportFrom, module: str) -> str | None:
    "Where in the package a `from ... import` looks; '': its top; None: elsewhere"
    if node.level:
        above = module.split('.')[:-node.level]
        return '.'.join([*above, *([node.module] if node.module else [])])
    if node.module == 'minifastai': return ''
    inside = (node.module or '').startswith('minifastai.')
    return (node.module or '').removeprefix('minifastai.') if inside else None


def imports(text: str, module: str) -> tuple[set[str], set[str]]:
    "(modules of the package that it imports, private names of those that it uses)"
    used: set[str] = set()
    private: set[str] = set()
    aliases: dict[str, str] = {}
    tree = ast.parse(text)
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith('minifastai.'):
                    used.add(alias.name.removeprefix('minifastai.'))
        if not isinstance(node, ast.ImportFrom): continue
        where = home(node, module)
        if where is None: continue
        if where: used.add(where)
        for alias in node.names:
            whole = f'{where}.{alias.name}'.strip('.')
            if is_module(whole):
                used.add(whole)
                aliases[alias.asname or alias.name] = whole
            elif alias.name[0] == '_' and where: private.add(whole)
    for node in nodes(tree):
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            continue
        if node.attr[0] == '_' and node.value.id in aliases:
            private.add(f'{aliases[node.value.id]}.{node.attr}')
    return {name for name in used if is_module(name)}, private


def imports_of(module: str) -> tuple[set[str], set[str]]:
    return imports(path_of(module).read_text(encoding='utf-8'), module)


@pytest.mark.parametrize('module', LESSONS)
def test_a_lesson_imports_lessons_before_it_and_the_engine_room(module):
    before = LESSONS[:LESSONS.index(module)]
    allowed = {*before, *ENGINE}-{*ON_TOP}
    later = imports_of(module)[0]-allowed-{module}
    assert not later, f'{module}.py imports {sorted(later)}, which come after it'


def test_the_engine_room_imports_no_lesson():
    faults = {module: found for module in ENGINE if module not in ON_TOP
              if (found := imports_of(module)[0]-set(ENGINE))}
    assert not faults, f'the engine room stands below all lessons: {faults}'


def test_no_module_uses_a_private_name_of_another():
    found = {(module, name) for module in EXPORTED for name in imports_of(module)[1]}
    assert not found, f'make these public, or do without: {sorted(found)}'


def test_every_module_comes_from_a_notebook():
    files = {path.relative_to(PACKAGE).with_suffix('').as_posix().replace('/', '.')
             for path in PACKAGE.rglob('*.py') if path.name not in ('_modidx.py',)}
    lost = {name for name in files-set(EXPORTED)
            if name.split('.')[-1] not in BY_HAND}
    assert not lost, f'no notebook exports {sorted(lost)}'


def test_what_counts_as_an_import():
    text = '''
from typing import TYPE_CHECKING
if TYPE_CHECKING: from .norms import BatchNorm
from .data import Dataset, _hidden
from . import runner
def later(): import minifastai.hooks
x = runner._axis
'''
    wanted = {'data', 'runner', 'hooks'}, {'data._hidden', 'runner._axis'}
    assert imports(text, 'schedule') == wanted
    assert imports('from ..runner import Runner', 'engine.guard') == ({'runner'}, set())
    assert imports('from minifastai import data', 'cnn') == ({'data'}, set())
