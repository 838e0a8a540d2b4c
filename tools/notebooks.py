"""What `make sync` does to the notebooks beside nbdev: tests are folded, texts of pictures move into cell metadata, long lines are refused.

`python tools/notebooks.py [--check] [NOTEBOOK ...]`; all of nbs/ and nbs/engine/ by default."""
import argparse
import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT/'nbs'
WIDTH = 88              # what JupyterLab at 1280 pixels, the site and a page show
ALT = 'fig_alt'         # the key of cell metadata that holds a picture's text

DIRECTIVE = re.compile(r'\s*#\s*\|\s*([^\s:]+):?\s*(.*)')


def notebooks(root: Path = ROOT) -> list[Path]:
    "Every notebook of the project: the lessons, then the engine room"
    lessons = sorted((root/'nbs').glob('*.ipynb'))
    engine = sorted((root/'nbs'/'engine').glob('*.ipynb'))
    return [path for path in lessons+engine if path.name[0] not in '._']


def name_of(path: Path, root: Path = ROOT) -> str:
    "How a notebook is called in lists: `05b_data`, `engine/91_guard`"
    return path.resolve().relative_to(root.resolve()/'nbs').with_suffix('').as_posix()


def settings(root: Path = ROOT) -> dict:
    "Our own lists, `[tool.minifastai]` in pyproject.toml"
    text = (root/'pyproject.toml').read_text(encoding='utf-8')
    return tomllib.loads(text).get('tool', {}).get('minifastai', {})


def source(cell: dict) -> str:
    "The text of a cell"
    return ''.join(cell['source'])


def directives(text: str) -> dict[str, str]:
    "The directives at the top of a cell, and what stands behind each"
    found = {}
    for line in text.splitlines():
        match = DIRECTIVE.match(line)
        if match: found[match[1]] = match[2].strip()
        elif line.strip(): break
    return found


def is_test(cell: dict) -> bool:
    "Is the cell a test, or the set-up of tests?"
    if cell['cell_type'] != 'code': return False
    return not {'test', 'test_setup'}.isdisjoint(directives(source(cell)))


def fold(cell: dict) -> None:
    "Close a test cell, open one that is marked `shown`; other cells stay as they are"
    if not is_test(cell): return
    words = directives(source(cell)).get('test', '').split()
    jupyter = {**cell['metadata'].get('jupyter', {}), 'source_hidden': True}
    if 'shown' in words[1:]: del jupyter['source_hidden']
    cell['metadata'].pop('jupyter', None)
    if jupyter: cell['metadata']['jupyter'] = jupyter


def move_alt(cell: dict) -> None:
    "A line `#| fig-alt: text` at the top of a cell moves into the cell's metadata"
    if cell['cell_type'] != 'code': return
    alt = directives(source(cell)).get('fig-alt')
    if alt is None: return
    lines = source(cell).splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if re.match(r'\s*#\s*\|\s*fig-alt', line))
    del lines[at]
    cell['metadata'][ALT] = alt
    cell['source'] = lines


def long_lines(nb: dict) -> list[tuple[str, int, int]]:
    "(cell id, number of the line, its length) of each line of code over 88 characters"
    return [(cell['id'], number, len(line))
            for cell in nb['cells'] if cell['cell_type'] == 'code'
            for number, line in enumerate(source(cell).splitlines(), 1)
            if len(line) > WIDTH]


def tidy(nb: dict) -> None:
    "Do to every cell what needs no judgement"
    for cell in nb['cells']:
        move_alt(cell)
        fold(cell)


def as_text(nb: dict) -> str:
    "A notebook as nbdev-clean writes it"
    return json.dumps(nb, sort_keys=True, indent=1, ensure_ascii=False)+'\n'


def main() -> int:
    "Tidy the notebooks, complain about long lines"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('paths', nargs='*', type=Path, help='notebooks; all by default')
    parser.add_argument('--check', action='store_true', help='write nothing')
    args = parser.parse_args()
    exempt = settings().get('wide', [])
    complaints = []
    for path in args.paths or notebooks():
        text = path.read_text(encoding='utf-8')
        nb = json.loads(text)
        tidy(nb)
        if as_text(nb) != text:
            if args.check: complaints.append(f'{path}: `make sync` would change it')
            else: path.write_text(as_text(nb), encoding='utf-8')
        if name_of(path) in exempt: continue
        complaints += [
            f'{name_of(path)}, cell {cell}, line {line}: {length} characters, '
            f'and a line of code has at most {WIDTH}: break it'
            for cell, line, length in long_lines(nb)]
    print('\n'.join(complaints), end='\n' if complaints else '', file=sys.stderr)
    return 1 if complaints else 0


if __name__ == '__main__': sys.exit(main())
