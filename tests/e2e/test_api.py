"The library as a user's editor shows it: every public name has a docstring, a hint and a comment for each parameter; `all` holds what is public and nothing else."
import ast,inspect,json,subprocess,sys
from importlib import import_module
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parents[2]
APPENDICES = 'all','cli','export'
MODULES = sorted(p.stem for p in (ROOT/'minifastai').glob('*.py') if p.stem[0]!='_' and p.stem!='all')
LESSONS = [name for name in MODULES if name not in APPENDICES]

def public(): return {name: getattr(module, name) for module in (import_module(f'minifastai.{m}') for m in MODULES) for name in getattr(module, '__all__', ())}

def parts(name, obj):
    "The object, the constructor's parameters of a class, and its public methods: each a pair (name, object)"
    if not isinstance(obj, type): return [(name, obj)] if callable(obj) else []
    own = [(name, obj)]
    if '__init__' in vars(obj): own.append((f'{name}.__init__', vars(obj)['__init__']))
    for method,f in vars(obj).items():
        f = f.fget if isinstance(f, property) else getattr(f, '__func__', f)
        if method[0]!='_' and inspect.isfunction(f): own.append((f'{name}.{method}', f))
    return own

def is_event(name):
    "Methods that the runner or PyTorch calls by their name say what they do by it"
    from minifastai.runner import EVENTS
    return name.rsplit('.', 1)[-1] in {*EVENTS, 'forward', 'extra_repr', '__init__', 'step', 'state_dict', 'load_state_dict', 'set_runner'}

def gaps():
    from fastcore.docments import docments
    for name,obj in public().items():
        for part,f in parts(name, obj):
            if not is_event(part) and not (f.__doc__ or '').strip(): yield f'{part}: no docstring'
            if isinstance(f, type): continue
            try: signature,comments = inspect.signature(f),docments(f, full=True, args_kwargs=True)
            except (TypeError, ValueError, OSError): continue     # a data class, whose constructor nobody wrote
            if is_event(part) and not part.endswith('__init__'): continue
            for p in signature.parameters.values():
                if p.name in ('self', 'cls'): continue
                where = f'{part}({p.name})'
                commented = bool((comments.get(p.name) or {}).get('docment')) or f'`{p.name}`' in (f.__doc__ or '')
                if not commented and p.name not in ('ax', 'axs', 'fig', 'title'): yield f'{where}: no comment beside it'
                if p.annotation is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD): yield f'{where}: no type hint'
            if signature.return_annotation is signature.empty and not part.endswith('__init__'): yield f'{part}: no type hint for what it returns'

def test_every_public_name_is_documented():
    found = list(gaps())
    assert not found, f'{len(found)} gaps:\n'+'\n'.join(found)

def test_package_is_typed(): assert (ROOT/'minifastai'/'py.typed').exists()

def test_all_holds_every_public_name_and_nothing_else():
    wanted = {name for m in LESSONS for name in import_module(f'minifastai.{m}').__all__}
    script = 'before = set(globals()) | {"before"}\nfrom minifastai.all import *\nimport json; print(json.dumps(sorted(set(globals())-before-{"json"})))'
    got = set(json.loads(subprocess.run([sys.executable, '-c', script], check=True, capture_output=True, text=True).stdout))
    assert got==wanted, f'missing: {sorted(wanted-got)}; too many: {sorted(got-wanted)}'
    assert not [name for name in got if name.startswith('_')]

@pytest.mark.parametrize('notebook', sorted(p.name for p in (ROOT/'nbs').glob('*.ipynb') if p.name[0] not in '._'))
def test_what_lessons_import_is_public(notebook):
    "A lesson may take a private helper of a lesson before it; what it takes by name from the library must exist"
    for cell in json.loads((ROOT/'nbs'/notebook).read_text(encoding='utf-8'))['cells']:
        if cell['cell_type']!='code': continue
        try: tree = ast.parse(''.join(cell['source']))
        except SyntaxError: continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('minifastai.'):
                module = import_module(node.module)
                for alias in node.names: assert alias.name=='*' or hasattr(module, alias.name), f'{notebook}: {node.module} has no {alias.name}'
