"What every lesson has: what it is for and how long it takes, links, a summary, exercises with checks and folded solutions, questions, a text for each picture; and no output that fills the screen."
import json,re
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parents[2]
LESSONS = sorted(p.stem for p in (ROOT/'nbs').glob('*.ipynb') if p.name[0] not in '._')
ORDER = [name for name in LESSONS if name!='index']
SCREEN = 30      # lines

def cells(name): return json.loads((ROOT/'nbs'/f'{name}.ipynb').read_text(encoding='utf-8'))['cells']
def source(cell): return ''.join(cell['source'])
def prose(name): return [source(cell) for cell in cells(name) if cell['cell_type']=='markdown']
def sections(name):
    "{heading: its cells}, of the headings of level two; a Markdown cell may hold several"
    found,heading = {},''
    for cell in cells(name):
        if cell['cell_type']!='markdown': found.setdefault(heading, []).append(cell); continue
        for part in re.split(r'^(?=## )', source(cell), flags=re.M):
            if part.startswith('## '): heading = part.splitlines()[0].strip('# ')
            if part.strip(): found.setdefault(heading, []).append({**cell, 'source': part})
    return found
def links(text): return re.findall(r'\]\(([\w-]+)\.ipynb', text)

@pytest.mark.parametrize('name', LESSONS)
def test_opening_says_what_for_and_how_long(name):
    opening = '\n'.join(prose(name)[:2])
    assert re.match(r'# .+', opening) and re.search(r'^> .+', opening, re.M), 'a title, and one quoted line that says what the lesson is for'
    assert re.search(r'\b(minutes?|hours?)\b', opening), 'how long it takes'
    assert re.search(r'\b[Aa]fterwards\b|\byou (can|will|have|know)\b', opening), 'what the reader can do afterwards'

@pytest.mark.parametrize('name', ORDER)
def test_links_lead_back_and_forward(name):
    i = ORDER.index(name)
    opening = '\n'.join(prose(name)[:2])
    before,after = ORDER[i-1] if i else "index",ORDER[i+1] if i+1<len(ORDER) else "index"
    assert before in links(opening), f'the opening should link back to {before}'
    assert after in links(opening) and after in links('\n'.join(prose(name)[2:])), f'opening and end should link to {after}'

@pytest.mark.parametrize('name', LESSONS)
def test_summary_exercises_questions(name):
    found = sections(name)
    exercises = next((heading for heading in found if heading.startswith('Exercise')), None)
    order = [list(found).index(heading) for heading in ('Summary', exercises, 'Questions') if heading in found]
    assert len(order)==3 and order==sorted(order), f'Summary, Exercises and Questions, in this order; found {list(found)}'
    assert 3<=len(re.findall(r'^[-*] ', source(found['Summary'][0]), re.M))<=8, 'about five points'
    text = '\n'.join(source(cell) for cell in found[exercises] if cell['cell_type']=='markdown')
    assert text.count('<details')>=1 and text.count('<details')==text.count('</details>'), 'each exercise has a folded solution'
    code = [source(cell) for cell in found[exercises] if cell['cell_type']=='code']
    shown = [cell['id'] for cell in found[exercises] if re.match(r'#\|\s*test ', source(cell)) and not cell['metadata'].get('jupyter', {}).get('source_hidden')]
    assert not shown, f'these tests give the solutions away: their metadata should have "jupyter": {{"source_hidden": true}}: {shown}'
    assert any('check' in cell for cell in code), 'a cell that tells right from wrong'
    assert any(re.match(r'#\|\s*test ', cell) for cell in code) or name=='index', 'the solutions are tested'
    assert re.findall(r'^[-*\d]', source(found['Questions'][0]), re.M)

@pytest.mark.parametrize('name', LESSONS)
def test_pictures_have_a_text(name):
    texts = {cell['id']: cell['metadata'].get('fig_alt', '')
             for cell in cells(name) if cell['cell_type']=='code'
             and any('image/png' in output.get('data', {}) for output in cell['outputs'])}
    missing = [i for i,text in texts.items() if len(text)<30]
    assert not missing, f'write `#| fig-alt: what the picture shows` and `make sync` in {missing}'
    for text in prose(name):
        assert not re.search(r'!\[\s*\]\(', text), 'a picture in the text without a text of its own'

@pytest.mark.parametrize('name', LESSONS)
def test_no_output_fills_the_screen(name):
    for cell in cells(name):
        lines = [line for output in cell.get('outputs', ()) if 'text' in output or 'image/png' not in output['data'] and 'text/html' not in output['data']
                 for line in ''.join(output.get('text') or output.get('data', {}).get('text/plain', '')).splitlines()]
        assert len(lines)<=SCREEN, f'cell {cell["id"]} prints {len(lines)} lines'

@pytest.mark.parametrize('name', LESSONS)
def test_outputs_are_those_of_a_run_and_clean(name):
    for cell in cells(name):
        for output in cell.get('outputs', ()):
            assert output['output_type']!='error', cell['id']
            assert output.get('name')!='stderr', f'cell {cell["id"]} shows what belongs on the error output'
            text = ''.join(output.get('text') or output.get('data', {}).get('text/plain', ''))
            assert 'image/png' in output.get('data', {}) or not re.match(r'<(Figure|Axes|matplotlib)|\[<', text), f'cell {cell["id"]} shows {text[:60]}'
            assert not re.search(r'/(home|root|work|Users)/', text), f'cell {cell["id"]} shows a path of a machine'
