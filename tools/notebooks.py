"""What `make sync` does to the notebooks besides nbdev.

Tests are folded, answers to predictions closed, texts of pictures move into cell
metadata, a link to Colab stands below the title once settings.ini has an address, long
lines of code are refused: `python tools/notebooks.py [--check] [NOTEBOOK ...]`; by
default in all."""
import argparse
import ast
import json
import re
import sys
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 88              # what JupyterLab at 1280 pixels, the site and a page show
ASKED = '**Predict'     # so a question begins, which the cell below it answers
ALT = 'fig_alt'         # the key of cell metadata that holds a picture's text
SHOWN = 10              # so many long lines are named for each notebook

GITHUB = 'https://github.com/'
COLAB = 'open-in-colab'     # so the ids of the cells begin that Colab needs
INSTALL = """# in Colab: installs the package, once
import importlib.util
if importlib.util.find_spec('minifastai') is None:
    get_ipython().run_line_magic('pip', 'install -q git+{url}')
"""

DEFINITIONS = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
VERBATIM = *DEFINITIONS, ast.Import, ast.ImportFrom
DIRECTIVE = re.compile(r'\s*#\s*\|\s*([^\s:]+):?\s*(.*)')


def notebooks(root: Path = ROOT) -> list[Path]:
    "Every notebook of the project: the lessons, then the engine room"
    lessons = sorted((root/'nbs').glob('*.ipynb'))
    engine = sorted((root/'nbs'/'engine').glob('*.ipynb'))
    return [path for path in lessons+engine if path.name[0] not in '._']


def name_of(path: Path, root: Path = ROOT) -> str:
    "How lists and messages call a notebook: `05b_data`, `engine/91_guard`"
    path, folder = path.resolve(), root.resolve()/'nbs'
    if not path.is_relative_to(folder): return path.stem
    return path.relative_to(folder).with_suffix('').as_posix()


def find(name: str, root: Path = ROOT) -> Path:
    "The notebook that somebody means by `05b_data`, `nbs/05b_data.ipynb` or `91_guard`"
    wanted = Path(name).stem
    for path in notebooks(root):
        if path.stem == wanted: return path
    raise SystemExit(f'no notebook {name} in nbs/: there are '
                     + ', '.join(name_of(path, root) for path in notebooks(root)))


def repository(root: Path = ROOT) -> str:
    "Where the code is, by settings.ini; '' before it is published"
    config = ConfigParser()
    config.read(root/'settings.ini', encoding='utf-8')
    return config.get('DEFAULT', 'url', fallback='').rstrip('/')


def source_of(name: str, url: str) -> str:
    "The address of a notebook in the repository"
    return f'{url}/blob/main/nbs/{name}.ipynb'


def colab_of(name: str, url: str) -> str:
    "The address that opens a notebook in Colab; '' if the code is not on GitHub"
    if not url.startswith(GITHUB): return ''
    place = source_of(name, url).removeprefix(GITHUB)
    return f'https://colab.research.google.com/github/{place}'


def read(path: Path) -> dict:
    "A notebook as nested dictionaries and lists"
    return json.loads(path.read_text(encoding='utf-8'))


def as_text(nb: dict) -> str:
    "A notebook as nbdev-clean writes it"
    return json.dumps(nb, sort_keys=True, indent=1, ensure_ascii=False)+'\n'


def source(cell: dict) -> str:
    "The text of a cell"
    return ''.join(cell['source'])


def is_code(cell: dict) -> bool:
    "Is it a cell of code?"
    return cell['cell_type'] == 'code'


def directives(text: str) -> dict[str, str]:
    "The directives at the top of a cell, and what stands behind each"
    found = {}
    for line in text.splitlines():
        if match := DIRECTIVE.match(line): found[match[1]] = match[2].strip()
        elif line.strip(): break
    return found


def is_test(cell: dict) -> bool:
    "Is the cell a test, or the set-up of tests?"
    if not is_code(cell): return False
    return not {'test', 'test_setup'}.isdisjoint(directives(source(cell)))


def is_folded(cell: dict) -> bool:
    "Does JupyterLab show the cell closed?"
    return bool(cell['metadata'].get('jupyter', {}).get('source_hidden'))


def fold(cell: dict) -> None:
    "Close a test or the set-up of tests; open a test marked `shown`"
    if not is_test(cell): return
    jupyter = cell['metadata'].pop('jupyter', {})
    shown = 'shown' in directives(source(cell)).get('test', '').split()[1:]
    jupyter.pop('source_hidden', None)
    if not shown: jupyter['source_hidden'] = True
    if jupyter: cell['metadata']['jupyter'] = jupyter


def is_closed(cell: dict) -> bool:
    "Does JupyterLab show the outputs closed, until the cell is run?"
    return bool(cell['metadata'].get('jupyter', {}).get('outputs_hidden'))


def close_answers(nb: dict) -> None:
    "Close what a cell below a `**Predict` has printed; JupyterLab opens it with a run"
    asked = False
    for cell in nb['cells']:
        if not is_code(cell): asked = ASKED in source(cell)
        elif not is_test(cell):
            jupyter = cell['metadata'].pop('jupyter', {})
            jupyter.pop('outputs_hidden', None)
            if asked: jupyter['outputs_hidden'] = True
            if jupyter: cell['metadata']['jupyter'] = jupyter
            asked = False


def move_alt(cell: dict) -> None:
    "Move a line `#| fig-alt: text` at the top of a cell into the cell's metadata"
    if not is_code(cell): return
    lines = source(cell).splitlines(keepends=True)
    for i, line in enumerate(lines):
        match = DIRECTIVE.match(line)
        if match and match[1] == 'fig-alt':
            cell['metadata'][ALT] = match[2].strip()
            cell['source'] = lines[:i]+lines[i+1:]
            return
        if line.strip() and not match: return


def colab_cells(name: str, url: str) -> list[dict]:
    "What stands below a lesson's title for readers in Colab, once there is an address"
    colab = colab_of(name, url)
    if not colab: return []
    text = f'[Open in Colab]({colab})'
    code = INSTALL.format(url=url).splitlines(keepends=True)
    return [{'cell_type': 'markdown', 'id': COLAB, 'metadata': {}, 'source': [text]},
            {'cell_type': 'code', 'execution_count': None, 'id': f'{COLAB}-install',
             'metadata': {}, 'outputs': [], 'source': code}]


def tidy(nb: dict, name: str = '', url: str = '') -> None:
    "Fold tests and their set-up, move the texts of pictures, keep what Colab needs"
    nb['cells'] = [cell for cell in nb['cells'] if not cell['id'].startswith(COLAB)]
    nb['cells'][1:1] = colab_cells(name, url)
    for cell in nb['cells']:
        move_alt(cell)
        fold(cell)


def width_of(cell: dict) -> int:
    "How long its lines may be: those of a test are indented in the test file"
    if 'test' not in directives(source(cell)): return WIDTH
    try: body = ast.parse(source(cell)).body
    except SyntaxError: return WIDTH
    # a cell of definitions goes there as it is
    return WIDTH if all(isinstance(node, VERBATIM) for node in body) else WIDTH-4


def long_lines(nb: dict) -> list[tuple[str, int, int]]:
    "(cell id, number of the line, its length) of each line of code that is too long"
    return [(cell['id'], number, len(line))
            for cell in nb['cells'] if is_code(cell)
            for number, line in enumerate(source(cell).splitlines(), 1)
            if len(line) > width_of(cell)]


def complaint(name: str, found: list[tuple[str, int, int]]) -> str:
    "What to tell the author of a notebook with long lines"
    lines = [f'{name}, cell {cell}, line {line}: {length} characters'
             for cell, line, length in found[:SHOWN]]
    if len(found) > SHOWN: lines.append(f'{name}: and {len(found)-SHOWN} more')
    return '\n'.join(lines)


def main(
    argv: list[str] | None = None,   # the words of the command line; None: its own
    root: Path = ROOT,               # the project
) -> int:
    "Tidy the notebooks and refuse long lines"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*', help='notebooks, such as 05b_data')
    parser.add_argument('--check', action='store_true', help='write nothing')
    args = parser.parse_args(argv)
    stale, wide = [], []
    named = [find(name, root) for name in args.names]
    for path in named or notebooks(root):
        nb, name = read(path), name_of(path, root)
        tidy(nb, name, repository(root))
        close_answers(nb)
        if as_text(nb) != path.read_text(encoding='utf-8'):
            stale.append(name)
            if not args.check: path.write_text(as_text(nb), encoding='utf-8')
        if found := long_lines(nb): wide.append(complaint(name, found))
    if wide:
        print(*wide, f'A line of code has at most {WIDTH} characters, so that nobody '
              f'has to scroll sideways; in a test {WIDTH-4}, since its function in the '
              'test file is indented. Break these lines.', sep='\n', file=sys.stderr)
    if stale and args.check:
        print('`make sync` would tidy', ', '.join(stale), file=sys.stderr)
    return 1 if wide or stale and args.check else 0


if __name__ == '__main__': sys.exit(main())
