"""What every lesson has: what it is for and how long it takes, links, a summary,
exercises with folded solutions, questions, a text for each picture.

And what no notebook has, lesson or engine room: an output that fills the screen, an
error, a path of somebody's machine."""
import re
import symtable

import pytest
from notebooks import (
    ALT, find, is_code, is_folded, is_test, name_of, notebooks, read, source)

NOTEBOOKS = [name_of(path) for path in notebooks()]
LESSONS = [name for name in NOTEBOOKS if '/' not in name]
ORDER = [name for name in LESSONS if name != 'index']
SCREEN = 30      # lines


def cells(name: str) -> list[dict]: return read(find(name))['cells']


def prose(name: str) -> list[str]:
    "Its cells of Markdown"
    return [source(cell) for cell in cells(name) if cell['cell_type'] == 'markdown']


def sections(name: str) -> dict[str, list[dict]]:
    "{heading: its cells}, of the headings of level two; a cell may hold several"
    found: dict[str, list[dict]] = {}
    heading = ''
    for cell in cells(name):
        if cell['cell_type'] != 'markdown':
            found.setdefault(heading, []).append(cell)
            continue
        for part in re.split(r'^(?=## )', source(cell), flags=re.M):
            if part.startswith('## '): heading = part.splitlines()[0].strip('# ')
            if not part.strip(): continue
            found.setdefault(heading, []).append({**cell, 'source': part})
    return found


def links(text: str) -> list[str]: return re.findall(r'\]\(([\w-]+)\.ipynb', text)


def plain(output: dict) -> str:
    "An output as text"
    return ''.join(output.get('text') or output.get('data', {}).get('text/plain', ''))


@pytest.mark.parametrize('name', LESSONS)
def test_opening_says_what_for_and_how_long(name):
    opening = '\n'.join(prose(name)[:2])
    assert re.match(r'# .+', opening), 'a title'
    assert re.search(r'^> .+', opening, re.M), 'a quoted line that says what it is for'
    assert re.search(r'\b(minutes?|hours?)\b', opening), 'how long it takes'
    able = r'\b[Aa]fterwards\b|\byou (can|will|have|know)\b'
    assert re.search(able, opening), 'what the reader can do afterwards'


@pytest.mark.parametrize('name', ORDER)
def test_links_lead_back_and_forward(name):
    i = ORDER.index(name)
    opening, rest = '\n'.join(prose(name)[:2]), '\n'.join(prose(name)[2:])
    before = ORDER[i-1] if i else 'index'
    after = ORDER[i+1] if i+1 < len(ORDER) else 'index'
    assert before in links(opening), f'the opening should link back to {before}'
    assert after in links(opening), f'the opening should link to {after}'
    assert after in links(rest), f'the end should link to {after}'


@pytest.mark.parametrize('name', LESSONS)
def test_summary_and_questions(name):
    found = sections(name)
    order = [title for title in found if title in ('Summary', 'Questions')]
    assert order == ['Summary', 'Questions'], f'in this order; found {list(found)}'
    points = re.findall(r'^[-*] ', source(found['Summary'][0]), re.M)
    assert 3 <= len(points) <= 8, 'about five points'
    assert re.findall(r'^[-*\d]', source(found['Questions'][0]), re.M)


@pytest.mark.parametrize('name', LESSONS)
def test_exercises(name):
    "They stand in a section of their own, or where the lesson needs them"
    found = sections(name)
    own = next((title for title in found if title.startswith('Exercise')), None)
    if own: assert 'Summary' in found and list(found).index(own) < len(found)-1
    exercises = found[own] if own else cells(name)
    text = '\n'.join(source(cell) for cell in exercises if not is_code(cell))
    assert text.count('<details') == text.count('</details>') >= 1, (
        'each exercise has a folded solution')
    code = [cell for cell in exercises if is_code(cell)]
    assert any('check' in source(cell) for cell in code), 'what tells right from wrong'
    tests = [cell for cell in code if re.match(r'#\|\s*test ', source(cell))]
    assert tests or name == 'index', 'the solutions are tested'
    heads = {cell['id']: source(cell).split('\n')[0] for cell in tests}
    solved = [cell for cell in tests if own or 'solution' in heads[cell['id']]]
    shown = [cell['id'] for cell in solved if not is_folded(cell)]
    assert not shown, f'these tests are open, and give the solutions away: {shown}'


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_pictures_have_a_text(name):
    texts = {cell['id']: cell['metadata'].get(ALT, '')
             for cell in cells(name) if is_code(cell)
             and any('image/png' in out.get('data', {}) for out in cell['outputs'])}
    missing = [i for i, text in texts.items() if len(text) < 30]
    assert not missing, f'`#| fig-alt: what the picture shows`, `make sync`: {missing}'
    for text in prose(name):
        assert not re.search(r'!\[\s*\]\(', text), 'a picture without a text'


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_no_output_fills_the_screen(name):
    drawn = 'image/png', 'text/html'
    for cell in cells(name):
        texts = [plain(output) for output in cell.get('outputs', ())
                 if not any(kind in output.get('data', {}) for kind in drawn)]
        lines = [line for text in texts for line in text.splitlines()]
        assert len(lines) <= SCREEN, f'cell {cell["id"]} prints {len(lines)} lines'


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_outputs_are_those_of_a_run_and_clean(name):
    left_over = r'<(Figure|Axes|matplotlib)|\[<'
    for cell in cells(name):
        for output in cell.get('outputs', ()):
            where, text = f'cell {cell["id"]} shows', plain(output)
            assert output['output_type'] != 'error', cell['id']
            assert output.get('name') != 'stderr', f'{where} its error output'
            if 'image/png' not in output.get('data', {}):
                assert not re.match(left_over, text), f'{where} {text[:60]}'
            path = re.search(r'/(home|root|work|Users)/', text)
            assert not path, f'{where} a path of a machine'


def names_in(text: str) -> tuple[set[str], set[str], set[str]]:
    "What a cell binds, what it imports, and what it reads and binds nowhere itself"
    top = symtable.symtable(text, 'cell', 'exec')
    names = top.get_symbols()
    imported = {name.get_name() for name in names if name.is_imported()}
    bound = {name.get_name() for name in names if name.is_assigned()}-imported
    read = {name.get_name() for name in names if name.is_referenced()}
    inner = top.get_children()
    while inner:
        scope = inner.pop()
        inner += scope.get_children()
        read |= {name.get_name() for name in scope.get_symbols()
                 if name.is_global() and name.is_referenced()}
    return bound, imported, read-bound-imported


def rebound(cells: list[dict]) -> list[str]:
    "Which cells read a name of the lesson that a test has bound anew"
    taught, dirty, found = set(), {}, []
    for cell in cells:
        lines = source(cell).split('\n') if is_code(cell) else []
        plain = ['' if line.startswith(('%', '!')) or line.endswith('??') else line
                 for line in lines]
        bound, imported, read = names_in('\n'.join(plain))
        if is_test(cell): dirty |= dict.fromkeys(bound & taught, cell['id'])
        else:
            found += [f'{cell["id"]} reads {name}, which {dirty[name]} has bound anew'
                      for name in read & dirty.keys()]
            for name in bound | imported: dirty.pop(name, None)
            taught |= bound | imported
    return found


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_tests_leave_the_names_of_a_lesson_alone(name): assert not rebound(cells(name))


def test_a_rebound_name_is_noticed():
    def cell(id, text): return {'id': id, 'cell_type': 'code', 'source': text}
    use = cell('use', 'def show(): return learn')
    before, test = cell('a', 'learn = 1'), cell('t', '#| test it\nlearn = 2')
    assert rebound([before, test, use]) == [
        'use reads learn, which t has bound anew']
    assert rebound([before, test, cell('b', 'learn = 3'), use]) == []
    assert rebound([before, cell('t', '#| test it\nimport learn'), use]) == []
