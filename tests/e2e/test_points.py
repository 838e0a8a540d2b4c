"Every numbered point of the lesson has its heading: points.json maps one to the other."
import json
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
NBS = HERE.parents[1]/'nbs'
POINTS = json.loads((HERE/'points.json').read_text(encoding='utf-8'))
LAST = {'05a': 12, '05b': 2, '05c': 7, '05d': 3, '05e': 2, '06a': 5, '06b': 7, '06c': 3,
        '07': 10, '10a': 8, '10b': 3, '10c': 4}


def headings(notebook: Path) -> set[str]:
    "The titles of all its sections"
    cells = json.loads(notebook.read_text(encoding='utf-8'))['cells']
    lines = [line for cell in cells if cell['cell_type'] == 'markdown'
             for line in ''.join(cell['source']).split('\n')]
    return {line.lstrip('#').strip() for line in lines if line.startswith('#')}


def places(point: str) -> list[tuple[str, str]]:
    "(the beginning of a notebook's name, heading) of each place that teaches it"
    # a heading that has moved to another lesson says to which: 05e_callbacks#Statistics
    own = point.split('.')[0]+'_'
    parts = [heading.rpartition('#') for heading in POINTS[point]]
    return [(notebook or own, heading) for notebook, _, heading in parts]


@pytest.mark.parametrize('point', sorted(POINTS))
def test_point_has_its_headings(point):
    for begin, heading in places(point):
        notebook, = NBS.glob(f'{begin}*.ipynb')
        assert heading in headings(notebook), (
            f'{notebook.name} taught point {point} under {heading!r}')


def test_no_point_is_forgotten():
    numbers: dict[str, set[int]] = {}
    for lesson, point in (name.split('.') for name in POINTS):
        numbers.setdefault(lesson, set()).add(int(point))
    assert numbers == {lesson: set(range(1, n+1)) for lesson, n in LAST.items()}
