"""Where a lesson has to be entered: `make test` names the place that was forgotten.

CONTRIBUTING.md, "Adding a lesson", is the same list in words."""
import re

import pytest
from notebooks import ROOT, directives, find, is_code, name_of, notebooks, read, source

LESSONS = [name_of(path) for path in notebooks() if path.parent.name == 'nbs']
ORDER = [name for name in LESSONS if name != 'index']
# the course: its modules are in `all`, its points in points.json
COURSE = [name for name in ORDER if name < '9']
COMMAND = re.compile(r"\bcheck\('([\w.]+)\.\d+'")


def text_of(path: str) -> str: return (ROOT/path).read_text(encoding='utf-8')


def code(name: str) -> list[str]:
    "The cells of code of a notebook"
    return [source(cell) for cell in read(find(name))['cells'] if is_code(cell)]


def prose(name: str) -> str:
    "All its Markdown"
    cells = read(find(name))['cells']
    return '\n'.join(source(cell) for cell in cells if not is_code(cell))


def modules(name: str) -> set[str]:
    "What a lesson exports to; a second notebook of a module names it in each cell"
    found = (directives(cell) for cell in code(name))
    return {words[key].split()[0] for words in found
            for key in ('default_exp', 'export') if words.get(key)}


def forgotten(
    name: str,              # a lesson
    exports: set[str],      # its modules
    exercises: set[str],    # what stands before the point in `check('07.1', ...)`
    order: list[str],       # all lessons in their order, this one too
) -> list[str]:
    "The places where it is not entered"
    link, i = f'{name}.ipynb', order.index(name)
    row = re.search(rf'^\| \[{name}\]\(nbs/{name}\.ipynb\) \|(.*?)\|',
                    text_of('README.md'), re.M)
    places = {
        "README.md: a row of the table of lessons": row is not None,
        'nbs/index.ipynb: a row of its table': f'({link})' in prose('index')}
    for module in exports:
        places[f'README.md: `{module}` in its row'] = bool(row and module in row[1])
        if name < '9':
            line = f'from minifastai.{module} import *\n'
            places[f'minifastai/all.py: {line.strip()}'] = (
                line in text_of('minifastai/all.py'))
    for before in order[max(0, i-1):i]:
        places[f'nbs/{before}.ipynb: a link forward'] = f'({link}' in prose(before)
    for after in order[i+1:i+2]:
        places[f'nbs/{after}.ipynb: a link back'] = f'({link}' in prose(after)
    for part in exercises:
        path = f'nbs/engine/96_exercises_{part}.ipynb'
        places[f'{path}: its exercises'] = (ROOT/path).exists()
    return [place for place, found in places.items() if not found]


@pytest.mark.parametrize('name', ORDER)
def test_a_lesson_is_entered_everywhere(name):
    exercises = {part for cell in code(name) for part in COMMAND.findall(cell)}
    assert not forgotten(name, modules(name), exercises, ORDER)


def test_each_place_that_is_forgotten_is_named():
    found = forgotten('08z_new', {'new'}, {'08z'}, sorted([*ORDER, '08z_new']))
    parts = ['README.md: a row', 'index.ipynb', '`new` in its row', 'all.py',
             'nbs/08b_distributed.ipynb: a link forward',
             'nbs/09_one_epoch.ipynb: a link back', '96_exercises_08z']
    assert len(found) == len(parts)
    for part in parts: assert any(part in place for place in found), part
