"""The library as a user's editor shows it.

Every public name has a docstring, a hint and a comment for each parameter; `all` holds
what is public in the lessons, and nothing else."""
import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module

import pytest
from api_page import modules
from notebooks import ROOT, is_code, notebooks, read, source

# what readers of the exercises write, and the mistakes they make, is no API
MODULES = {m: built for m, built in modules().items()
           if 'exercises' not in m.__name__}
# not of the engine room, nor of the appendices 98 and 99
LESSONS = [m for m, built in MODULES.items()
           if '/' not in built[0] and not built[0].startswith(('98', '99'))]
# methods that the runner or PyTorch calls by their name say what they do by it
BY_NAME = {'forward', 'extra_repr', '__init__', 'step', 'state_dict', 'load_state_dict',
           'set_runner', 'update'}
PLAIN = 'ax', 'axs', 'fig', 'title'     # parameters that need no comment
MANY = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
SHOW_ALL = '''
before = set(globals())
from minifastai.all import *
import json
print(json.dumps(sorted(set(globals())-before-{"json", "before"})))
'''


def parts(name: str, obj) -> list[tuple]:
    "(name, object) of the object, its constructor, and its public methods"
    if not isinstance(obj, type): return [(name, obj)] if callable(obj) else []
    own = [(name, obj)]
    if '__init__' in vars(obj): own.append((f'{name}.__init__', vars(obj)['__init__']))
    for method, f in vars(obj).items():
        f = f.fget if isinstance(f, property) else getattr(f, '__func__', f)
        if method[0] == '_' or not inspect.isfunction(f): continue
        own.append((f'{name}.{method}', f))
    return own


def is_event(name: str) -> bool:
    from minifastai.runner import EVENTS
    return name.rsplit('.', 1)[-1] in {*EVENTS, *BY_NAME}


def gaps_in(name: str, f) -> Iterator[str]:
    "What is not said of one function or class"
    from fastcore.docments import docments
    doc = (f.__doc__ or '').strip()
    if not doc and not is_event(name): yield f'{name}: no docstring'
    if isinstance(f, type): return
    try:
        signature = inspect.signature(f)
        comments = docments(f, full=True, args_kwargs=True)
    except (TypeError, ValueError, OSError): return     # a data class
    constructor = name.endswith('__init__')
    if is_event(name) and not constructor: return
    for p in signature.parameters.values():
        if p.name in ('self', 'cls'): continue
        said = (comments.get(p.name) or {}).get('docment') or f'`{p.name}`' in doc
        if not said and p.name not in PLAIN: yield f'{name}({p.name}): no comment'
        if p.annotation is p.empty and p.kind not in MANY:
            yield f'{name}({p.name}): no type hint'
    if signature.return_annotation is signature.empty and not constructor:
        yield f'{name}: no type hint for what it returns'


@pytest.mark.parametrize('module', MODULES, ids=lambda module: module.__name__)
def test_every_public_name_is_documented(module):
    found = [gap for name in module.__all__
             for part in parts(name, getattr(module, name)) for gap in gaps_in(*part)]
    assert not found, f'{len(found)} gaps:\n'+'\n'.join(found)


def test_package_is_typed(): assert (ROOT/'minifastai'/'py.typed').exists()


def test_all_holds_every_public_name_and_nothing_else():
    wanted = {name for module in LESSONS for name in module.__all__}
    done = subprocess.run([sys.executable, '-c', SHOW_ALL], check=True,
                          capture_output=True, text=True)
    got = set(json.loads(done.stdout))
    assert got == wanted, f'missing: {wanted-got}; too many: {got-wanted}'
    assert not [name for name in got if name.startswith('_')]


@pytest.mark.parametrize('path', notebooks(), ids=lambda path: path.stem)
def test_what_lessons_import_exists(path):
    for cell in filter(is_code, read(path)['cells']):
        try: tree = ast.parse(source(cell))
        except SyntaxError: continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom): continue
            if not (node.module or '').startswith('minifastai.'): continue
            module = import_module(node.module)
            for alias in node.names:
                is_there = alias.name == '*' or hasattr(module, alias.name)
                assert is_there, f'{node.module} has no {alias.name}'
