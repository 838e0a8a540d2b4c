"""A module as a page of the site.

The pages are made from signatures, docstrings and the comments beside parameters."""
import inspect
import pprint
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from minifastai.engine.comments import plain
from notebooks import directives, is_code, name_of, notebooks, read, source

WIDTH = 60      # characters of code in a line


def module_of(path: Path) -> str:
    "The module that a notebook exports to, such as `engine.guard`; '': none"
    cells = filter(is_code, read(path)['cells'])
    found = (directives(source(cell)).get('default_exp') for cell in cells)
    return next(filter(None, found), '')


def modules() -> dict[ModuleType, list[str]]:
    "The modules with public names, and the notebooks that each is built in"
    built: dict[str, list[str]] = {}
    for path in notebooks():
        if name := module_of(path): built.setdefault(name, []).append(name_of(path))
    imported = {import_module(f'minifastai.{name}'): built[name] for name in built}
    return {module: where for module, where in imported.items()
            if getattr(module, '__all__', None)}


def short(module: ModuleType) -> str:
    "`engine.guard` for `minifastai.engine.guard`"
    return module.__name__.removeprefix('minifastai.')


def known() -> dict[str, str]:
    "Where each public name is explained"
    return {name: f'{short(module)}.md#{name}'
            for module in modules() for name in module.__all__}


def text_of(doc: str | None, names: dict[str, str]) -> str:
    "A docstring as Markdown; names of the library become links"
    def link(match: re.Match) -> str:
        at = names.get(match[1])
        return f'[`{match[1]}`]({at})' if at else match[0]
    doc = inspect.cleandoc(doc or '')
    doc = re.sub(r'(?<![<(])(https?://[^\s)>,]+[^\s)>,.;])', r'<\1>', doc)
    doc = re.sub(r'(?m)^([ \t]+)(?=\S)', '', doc)
    return re.sub(r'`([A-Za-z_]\w*)`', link, doc)


def type_of(annotation: Any) -> str:
    "A type as a reader writes it"
    if annotation is inspect.Parameter.empty: return ''
    plain = isinstance(annotation, type) and not getattr(annotation, '__args__', None)
    text = annotation.__name__ if plain else str(annotation)
    modules = r'typing|collections\.abc|minifastai(?:\.\w+)+|torch(?:\.\w+)*'
    return re.sub(rf'\b(?:{modules})\.(?=[A-Z])', '', text)


def default_of(value: Any) -> str:
    "A default as a reader writes it"
    if value is inspect.Parameter.empty: return ''
    return getattr(value, '__name__', None) or repr(value)


def parameters_of(obj: Any) -> list[inspect.Parameter] | None:
    "What a function takes, without `self`; None where nobody can tell"
    try: signature = inspect.signature(obj)
    except (TypeError, ValueError): return None
    return [p for p in signature.parameters.values() if p.name not in ('self', 'cls')]


def starred(parameter: inspect.Parameter) -> str:
    "Its name, with the stars that stand before it"
    if parameter.kind is parameter.VAR_POSITIONAL: return f'*{parameter.name}'
    if parameter.kind is parameter.VAR_KEYWORD: return f'**{parameter.name}'
    return parameter.name


def in_ticks(text: str) -> str:
    "As code, where there is something"
    return f'`{text}`' if text else ''


def table_of(rows: list[list[str]]) -> str:
    "A table without its empty columns, which only take room, on a phone above all"
    if not rows: return ''
    kept = [i for i in range(len(rows[0])) if any(row[i].strip() for row in rows)]
    head = ['parameter', 'type', 'default', 'what it is']
    lines = [head, ['---']*len(head), *rows]
    shown = ['| '+' | '.join(line[i] for i in kept)+' |' for line in lines]
    return '\n'.join(shown)+'\n\n'


def parameter_table(obj: Any, names: dict[str, str]) -> str:
    "The parameters of a function, and what it returns, by fastcore's docments"
    from fastcore.docments import docments
    try: comments = docments(obj, full=True, args_kwargs=True)
    except (TypeError, ValueError): return ''

    def row(p: inspect.Parameter) -> list[str]:
        comment = text_of((comments.get(p.name) or {}).get('docment'), names)
        return [in_ticks(starred(p)), in_ticks(type_of(p.annotation)),
                in_ticks(default_of(p.default)),
                comment.replace('|', '\\|').replace('\n', ' ')]

    back = (comments.get('return') or {}).get('docment')
    table = table_of([row(p) for p in parameters_of(obj) or []])
    return table+(f'Returns {text_of(back, names)}\n\n' if back else '')


def signature_of(obj: Any, name: str) -> str:
    "A function's head, on one line where it fits"
    def one(p: inspect.Parameter) -> str:
        return starred(p)+('' if p.default is p.empty else f'={default_of(p.default)}')
    parameters = parameters_of(obj)
    if parameters is None: return name
    shown = [one(p) for p in parameters]
    line = f'{name}({", ".join(shown)})'
    return line if len(line) <= WIDTH else f'{name}(\n    '+',\n    '.join(shown)+')'


def methods_of(cls: type) -> dict[str, Any]:
    "The public methods and properties that a class defines and explains"
    kinds = property, staticmethod, classmethod
    own = {name: f for name, f in vars(cls).items() if name[0] != '_'
           and (inspect.isfunction(f) or isinstance(f, kinds)) and f.__doc__}
    return {name: f.fget if isinstance(f, property) else getattr(cls, name)
            for name, f in own.items()}


def entry(
    obj: Any,                  # what is explained
    name: str,                 # how it is called
    names: dict[str, str],     # what to link to
    level: int = 2,            # of its heading
    anchor: str = '',          # of its heading; '': its name
) -> str:
    "One public name; for a class its methods too"
    head = f'{"#"*level} {name} {{ #{anchor or name} }}'
    if not callable(obj):
        value = pprint.pformat(obj, width=WIDTH, compact=True)
        return f'{head}\n\n```python\n{name} = {value}\n```\n'
    is_class = isinstance(obj, type)
    doc = '' if is_class and '__doc__' not in vars(obj) else obj.__doc__
    parts = [head, f'```python\n{"class "*is_class}{signature_of(obj, name)}\n```',
             text_of(plain(doc), names), parameter_table(obj, names)]
    for method, f in (methods_of(obj) if is_class else {}).items():
        parts.append(entry(f, method, names, level+1, f'{name}.{method}'))
    return '\n\n'.join(parts)


def api_page(
    module: ModuleType,        # what is explained
    built: list[str],          # the notebooks that it is built in
    names: dict[str, str],     # what to link to
) -> str:
    "One module: its docstring, its public names"
    links = ' and '.join(f'[{name}](../{name}.md)' for name in built)
    return '\n\n'.join([
        f'# minifastai.{short(module)}', text_of(module.__doc__, names),
        f'Built in {links}.',
        *(entry(getattr(module, name), name, names) for name in module.__all__)])


def api_index() -> str:
    "All public names, module by module"
    def row(module: ModuleType) -> str:
        page = f'{short(module)}.md'
        links = ', '.join(f'[`{name}`]({page}#{name})' for name in module.__all__)
        return f'| [{short(module)}]({page}) | {links} |'
    return '\n'.join([
        '# API', '',
        '`from minifastai.all import *` gives all public names of the lessons. '
        'Everything else is imported from its module.', '',
        '| module | names |', '|---|---|', *map(row, modules())])
