"Every numbered point of the lesson has its heading: points.json maps one to the other."
import json
from pathlib import Path
import pytest

HERE = Path(__file__).resolve().parent
NBS = HERE.parents[1]/'nbs'
POINTS = json.loads((HERE/'points.json').read_text(encoding='utf-8'))

def headings(notebook):
    cells = json.loads(notebook.read_text(encoding='utf-8'))['cells']
    lines = [line for c in cells if c['cell_type']=='markdown' for line in ''.join(c['source']).split('\n')]
    return {line.lstrip('#').strip() for line in lines if line.startswith('#')}

@pytest.mark.parametrize('point', sorted(POINTS))
def test_point_has_its_headings(point):
    lesson = point.split('.')[0]
    notebook, = NBS.glob(f'{lesson}_*.ipynb')
    missing = [h for h in POINTS[point] if h not in headings(notebook)]
    assert not missing, f'{notebook.name} no longer has the heading that teaches point {point}: {missing}'

def test_no_point_is_forgotten():
    numbers = {lesson: {int(p.split('.')[1]) for p in POINTS if p.startswith(f'{lesson}.')} for lesson in {p.split('.')[0] for p in POINTS}}
    assert numbers=={lesson: set(range(1, last+1)) for lesson,last in {'05a': 12, '05b': 2, '05c': 7, '05d': 3, '05e': 2, '06a': 5, '06b': 7, '06c': 3, '07': 10}.items()}
