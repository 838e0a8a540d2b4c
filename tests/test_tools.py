"The tools in tools/, on small notebooks."
import copy
import json
import os
import re
import subprocess
import sys

import bump
import check_sync
import lesson_page
import lessons
import lint
import notebooks
import pytest
import sizes
from notebooks import ROOT

SETTINGS = (ROOT/'settings.ini').read_text(encoding='utf-8')


def code(text: str, cell_id: str = 'a-cell', **metadata) -> dict:
    "A cell of code"
    return {'cell_type': 'code', 'id': cell_id, 'metadata': metadata, 'outputs': [],
            'execution_count': None, 'source': text.splitlines(keepends=True)}


def prose(text: str, cell_id: str = 'prose') -> dict:
    "A cell of Markdown"
    return {'cell_type': 'markdown', 'id': cell_id, 'metadata': {}, 'source': [text]}


def notebook(*cells: dict) -> dict:
    "A notebook of these cells, with ids of their own"
    cells = tuple({**cell, 'id': f'{cell["id"]}-{i}'} for i, cell in enumerate(cells))
    kernel = {'display_name': 'python3', 'language': 'python', 'name': 'python3'}
    return {'cells': list(cells), 'metadata': {'kernelspec': kernel},
            'nbformat': 4, 'nbformat_minor': 5}


def folded(nb: dict) -> list[bool]:
    "Which of its cells are closed"
    return [notebooks.is_folded(cell) for cell in nb['cells']]


def project(tmp_path, name: str, nb: dict):
    "A project with one notebook; where it is"
    path = tmp_path/'nbs'/f'{name}.ipynb'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebooks.as_text(nb), encoding='utf-8')
    return tmp_path


# ---- notebooks.py ----

def test_tests_are_folded_and_shown_ones_are_not():
    nb = notebook(
        code('#| test one\nassert 1'), code('#| test two shown\nassert 1'),
        code('#| test three slow shown\nassert 1'), code('#| test_setup\nx = 1'),
        code('#| export\ny = 1'), code('z = 1', jupyter={'source_hidden': True}))
    notebooks.tidy(nb)
    assert folded(nb) == [True, False, False, True, False, True]
    once = copy.deepcopy(nb)
    notebooks.tidy(nb)
    assert nb == once


def test_a_test_that_becomes_shown_is_opened_and_keeps_its_other_metadata():
    hidden = {'source_hidden': True, 'outputs_hidden': True}
    nb = notebook(code('#| test one shown\nassert 1', jupyter=hidden, tags=['a']),
                  code('#| test two shown\nassert 1', jupyter={'source_hidden': True}))
    notebooks.tidy(nb)
    assert nb['cells'][0]['metadata'] == {'jupyter': {'outputs_hidden': True},
                                          'tags': ['a']}
    assert nb['cells'][1]['metadata'] == {}


def closed(nb: dict) -> list[bool]:
    "Of which of its cells the outputs are closed"
    return [notebooks.is_closed(cell) for cell in nb['cells']]


def test_answers_to_predictions_are_closed(tmp_path):
    nb = notebook(
        code('1'), prose('Is it?\n\n**Predict.** What is 1+1?'), code('#| test a\n1'),
        code('1+1', tags=['b']), code('3', jupyter={'outputs_hidden': True}),
        prose('It is. **Predict** the other one.'), code('4'), prose('So.'), code('5'),
        prose('**Predict.** And now?'), prose('Two cells below.'), code('6'))
    path = project(tmp_path, '01_tiny', nb)/'nbs'/'01_tiny.ipynb'
    assert notebooks.main([], tmp_path) == 0
    found = notebooks.read(path)
    assert [i for i, yes in enumerate(closed(found)) if yes] == [3, 6]
    assert found['cells'][3]['metadata'] == {'jupyter': {'outputs_hidden': True},
                                             'tags': ['b']}
    assert notebooks.main(['--check'], tmp_path) == 0


def test_the_text_of_a_picture_moves_into_metadata():
    text = '#| export\n#| fig-alt: A curve: it falls | rises\nplot()'
    nb = notebook(code(text), code('x = "\n#| fig-alt: in a string\n"'),
                  code('plot()\n#| fig-alt: too late'), code('#| fig-alt: alone'))
    notebooks.tidy(nb)
    first, *others, last = nb['cells']
    assert notebooks.source(first) == '#| export\nplot()'
    assert first['metadata'] == {'fig_alt': 'A curve: it falls | rises'}
    assert [notebooks.source(cell) for cell in others] == [
        'x = "\n#| fig-alt: in a string\n"', 'plot()\n#| fig-alt: too late']
    assert last['metadata'] == {'fig_alt': 'alone'} and notebooks.source(last) == ''
    once = copy.deepcopy(nb)
    notebooks.tidy(nb)
    assert nb == once


def test_nbdev_keeps_the_metadata_that_we_write():
    text = (ROOT/'pyproject.toml').read_text(encoding='utf-8')
    kept, = re.findall(r'^allowed_cell_metadata_keys = (.*)$', text, re.M)
    assert {notebooks.ALT, 'jupyter'} <= set(json.loads(kept))


def test_a_long_line_is_refused_by_name(tmp_path, capsys):
    nb = notebook(prose('long '*50), code('x = 1\n'+'y'*88+'\n'+'z'*89))
    root = project(tmp_path, '01_wide', nb)
    assert notebooks.main([], root) == 1
    said = capsys.readouterr().err
    assert '01_wide, cell a-cell-1, line 3: 89 characters' in said
    assert 'line 2' not in said and '88' in said


def test_a_test_has_room_for_the_indent_of_its_function(tmp_path):
    line = 'x'*85
    nb = notebook(code(f'#| test one\n{line}'), code(f'#| test two\ny\n{line[1:]}'),
                  code(f'#| test three\ndef test_three(): pass\n# {line}'),
                  code(f'#| test_setup\n{line}'))
    assert [(cell, n) for cell, n, _ in notebooks.long_lines(nb)] == [('a-cell-0', 2)]


def test_check_writes_nothing_and_says_what_would_change(tmp_path, capsys):
    root = project(tmp_path, '01_open', notebook(code('#| test one\nassert 1')))
    path = root/'nbs'/'01_open.ipynb'
    before = path.read_bytes()
    assert notebooks.main(['--check'], root) == 1
    assert path.read_bytes() == before
    assert '01_open' in capsys.readouterr().err
    assert notebooks.main([], root) == 0 and path.read_bytes() != before
    assert notebooks.main(['--check'], root) == 0


# ---- lessons.py and sizes.py ----

TINY = notebook(
    prose('# A title\n\nFour more words here.\n\n```\nnot counted\n```'),
    code('#| default_exp tiny'),
    code('#| export\ndef f(x):\n    """Two\n    lines"""\n    # why\n\n    return x'),
    code('#| test_setup\ny = 2'),
    code('#| test f_is_f\nassert f(y) == 2'),
    code('print(f(1))\nprint(2)'),
    prose('## Exercises\n\n### 1. A gap'),
    code('def g(x): pass'),
    prose('## Summary'),
    code('check("01.1", f)'),
    code('z = 1'))


def test_what_a_notebook_is_made_of():
    found = sizes.sizes(TINY)
    assert found == sizes.Sizes(
        exported=2, teaching=3, tests=2, exercises=2, visible=9, cell=7, line=19,
        words=11)
    tidied = copy.deepcopy(TINY)
    notebooks.tidy(tidied)
    assert sizes.sizes(tidied).visible == 7
    both = found+found
    assert both.code == 18 and both.cell == 7 and both.line == 19 and both.words == 22
    row = found.row('tiny', 1.25).split()
    assert row == ['tiny', '1.2', '9', '2', '22%', '3', '33%', '2', '22%', '2', '22%',
                   '9', '7', '19', '11']
    assert len(found.row('tiny', None)) == len(sizes.HEAD)


def test_the_share_that_teaches_is_that_of_the_lessons():
    lesson, engine = sizes.Sizes(teaching=3, visible=4), sizes.Sizes(visible=40)
    said = lessons.sums({'05b_data': lesson, 'engine/91_guard': engine}, None)
    assert '75% of the 4 lines' in said and said.splitlines()[0].split()[0] == 'all'


def output(nb: dict) -> str:
    "What its cells printed"
    return ''.join(output['text'] for cell in nb['cells']
                   for output in cell.get('outputs', ()))


@pytest.mark.slow
def test_tests_are_left_out_of_an_execution(tmp_path):
    nb = notebook(code('x = 1'), code('#| test_setup\nprint("set up")\ny = 2'),
                  code('#| test fails\nassert False'), code('print(x)'))
    before = copy.deepcopy(nb)
    ran, fault = lessons.execute(lessons.without_tests(nb), tmp_path)
    assert (fault, output(ran), nb) == ('', '1\n', before)
    ran, fault = lessons.execute(nb, tmp_path)
    assert fault.startswith('FAILED in cell a-cell-2') and 'AssertionError' in fault
    uses_setup = notebook(code('#| test_setup\ny = 2'), code('print(y)'))
    ran, fault = lessons.execute(lessons.without_tests(uses_setup), tmp_path)
    assert "name 'y' is not defined" in fault


# ---- check_sync.py ----

def test_what_two_copies_do_not_share_is_found(tmp_path):
    texts = {'nbs/a.ipynb': 'a', 'minifastai/b.py': 'b', 'minifastai/engine/c.py': 'c',
             'minifastai/_modidx.py': 'd', 'tests/__pycache__/e.pyc': 'e'}
    old, new = tmp_path/'old', tmp_path/'new'
    for copied in (old, new):
        for name, text in texts.items():
            (copied/name).parent.mkdir(parents=True, exist_ok=True)
            (copied/name).write_text(text)
    assert check_sync.changed(old, new) == []
    for name in texts: (new/name).write_text('x')
    (new/'tests'/'test_new.py').write_text('')
    (old/'minifastai'/'gone.py').write_text('')
    assert check_sync.changed(old, new) == [
        'minifastai/b.py', 'minifastai/engine/c.py', 'minifastai/gone.py',
        'nbs/a.ipynb', 'tests/test_new.py']


TINY_PROJECT = """[project]
name = "tiny"
version = "0.1"
[tool.nbdev]
lib_path = "tiny"
export_procs = ["minifastai.export:ExportTests"]
"""


def test_a_cell_that_is_no_python_is_one_line(tmp_path):
    exporter = code('#| default_exp tiny')
    good = project(tmp_path, '01_good', notebook(exporter, code('#| export\ny = 1')))
    (good/'pyproject.toml').write_text(TINY_PROJECT)
    (good/'tests').mkdir()
    # nbdev's own test runner sets IN_TEST, and nothing is exported then
    env = {name: value for name, value in os.environ.items() if name != 'IN_TEST'}
    command = [sys.executable, str(ROOT/'tools'/'export.py')]

    def export() -> subprocess.CompletedProcess:
        return subprocess.run(command, cwd=good, env=env, capture_output=True,
                              text=True)
    done = export()
    assert done.returncode == 0 and not done.stderr, done.stderr
    module = (good/'tiny'/'tiny.py').read_text()
    assert 'y = 1' in module
    faulty = code('#| export\nx = 1\ny = (2', 'bad')
    project(tmp_path, '01_good', notebook(exporter, faulty))
    done = export()
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.count('\n') == 1, done.stderr
    for part in ('nbs/01_good.ipynb, cell bad-1: ', 'never closed', 'line `y = (2`'):
        assert part in done.stderr, (part, done.stderr)
    assert (good/'tiny'/'tiny.py').read_text() == module


# ---- the site ----

def test_a_page_closes_the_answer_to_a_prediction(tmp_path):
    cell = code('print(7)', jupyter={'outputs_hidden': True})
    cell['outputs'] = [{'output_type': 'stream', 'name': 'stdout', 'text': '7\n'}]
    root = project(tmp_path, '01_tiny', notebook(prose('# Title'), cell))
    page = lesson_page.Lesson(root/'nbs'/'01_tiny.ipynb').html
    before, answer = page.split('<details class="answer">')
    assert 'print' in before and '<pre>7' not in before
    assert answer.startswith('<summary>What the cell prints</summary>')
    assert '<pre>7' in answer.split('</details>')[0]


def test_a_page_shows_no_directives_and_no_set_up(tmp_path):
    nb = notebook(
        prose('# Title'), code('#| default_exp tiny'), code('#| export\nx = 1'),
        code('#| test_setup\nhidden_name = 1'), code('#| test good_name\nassert x'),
        code('#| test solution_g\nassert x'), code('#| test open shown\nassert 3'),
        code('def harness(): pass', jupyter={'source_hidden': True}),
        prose('## For the exported tests'), code('#| test_setup\nfrom a import b'))
    notebooks.tidy(nb)
    root = project(tmp_path, '01_tiny', nb)
    page = lesson_page.Lesson(root/'nbs'/'01_tiny.ipynb').html
    assert '#|' not in page and 'default_exp' not in page and 'hidden_name' not in page
    assert 'exported tests' not in page
    assert re.findall('<summary>(.*?)</summary>', page) == [
        'Test: good name', 'Test of a solution: g', 'Code: harness']
    assert page.count('<details') == 3 and 'highlight' in page.split('</details>')[2]


# ---- lint.py and bump.py ----

def test_colab_has_its_cells_once_there_is_an_address():
    nb = notebook(prose('# Title'), code('x = 1'))
    before = copy.deepcopy(nb)
    notebooks.tidy(nb, '05a', 'https://github.com/one/two')
    title, link, install, _ = nb['cells']
    assert title == before['cells'][0]
    address = 'https://colab.research.google.com/github/one/two/blob/main/nbs/05a.ipynb'
    assert f'({address})' in notebooks.source(link)
    assert 'git+https://github.com/one/two' in notebooks.source(install)
    compile(notebooks.source(install), 'cell', 'exec')
    assert not notebooks.long_lines(nb)
    again = copy.deepcopy(nb)
    notebooks.tidy(again, '05a', 'https://github.com/one/two')
    assert again == nb
    for url in '', 'https://example.org/one/two':
        notebooks.tidy(again, '05a', url)
        assert again == before


def test_a_page_says_where_its_notebook_is(tmp_path):
    nb = notebook(prose('# Title\n\n![a dot](images/dot.png)'), code('x = 1'))
    notebooks.tidy(nb, '05a', 'https://github.com/one/two')
    path = project(tmp_path, '05a', nb)/'nbs'/'05a.ipynb'
    page = lesson_page.Lesson(path, 'https://github.com/one/two').html
    assert 'href="05a.ipynb" download' in page and page.count('Open in Colab') == 1
    assert 'find_spec' not in page           # the page needs no installation
    assert '<a class="enlarge" href="images/dot.png"><img ' in page
    page = lesson_page.Lesson(path).html
    assert 'download' in page and 'github' not in page and 'Colab' not in page


def test_a_corner_of_a_table_is_no_heading():
    page = '<tr><th></th><th style="x"> </th><th>a</th></tr>'
    assert lesson_page.without_empty_headers(page) == (
        '<tr><td></td><td style="x"></td><th>a</th></tr>')


@pytest.mark.parametrize('synced', [True, False])
def test_the_reminder_speaks_only_if_something_differs(monkeypatch, capsys, synced):
    done = subprocess.CompletedProcess([], 0)
    monkeypatch.setattr(check_sync.sys, 'argv', ['check_sync.py', '--reminder'])
    monkeypatch.setattr(check_sync.subprocess, 'run', lambda *args, **kwargs: done)
    monkeypatch.setattr(check_sync, 'copy_project', lambda to: None)
    found = [] if synced else ['minifastai/data.py']
    monkeypatch.setattr(check_sync, 'changed', lambda old, new: found)
    assert check_sync.main() == 0          # the tests decide how `make test` ends
    said = capsys.readouterr().out
    assert said == '' if synced else 'not synced' in said


def test_a_widget_keeps_its_states_for_a_page():
    import nbformat
    import widgets
    inside = {'m': {'model_name': 'LabelModel', 'state': {'value': 'text'}}}
    nb = nbformat.from_dict(notebook(code('box')))
    nb.metadata['widgets'] = {widgets.STATE: {'state': inside}}
    script = '<script class="states">{}</script>'
    data = {widgets.VIEW: {'model_id': 'm'}, 'text/html': script}
    nb.cells[0].outputs = [nbformat.v4.new_output('display_data', data)]
    widgets.keep_static(nb)
    page = nb.cells[0].outputs[0].data['text/html']
    assert page.startswith('<div class="widget-static"><div> text</div>')
    assert page.endswith(f'{script}</div>')


def test_only_the_list_that_nbdev_writes_may_be_wide(tmp_path):
    path = tmp_path/'tiny.py'
    path.write_text('"doc"\n\n# %% auto #0\n__all__ = ["a",\n  "b"]\n\n__all__ = 1\n')
    assert [lint.by_nbdev(path, row) for row in range(1, 8)] == [
        False, False, True, True, True, False, False]


def test_the_readme_is_checked_as_it_stands():
    readme = (ROOT/'README.md').read_text(encoding='utf-8')
    lines, = re.findall(r'^```python\n(.*?)^```', readme, re.M | re.S)
    checked = (ROOT/'tests'/'typed'/'readme.py').read_text(encoding='utf-8')
    assert checked.split('\n', 1)[1] == lines


def test_bump_changes_the_version_alone(tmp_path):
    path = tmp_path/'settings.ini'
    path.write_text(SETTINGS, encoding='utf-8')
    old, = re.findall(r'^version = (.*)$', SETTINGS, re.M)
    assert bump.bump('99.0.10', path) == old
    changed = path.read_text(encoding='utf-8')
    assert changed == SETTINGS.replace(f'version = {old}\n', 'version = 99.0.10\n')


@pytest.mark.parametrize('version', ['', '1', '1.2', 'v1.2.3', '1.2.3.4', '01.2.3',
                                     '1.2.3 ', '1.2.x', '0.0.0'])
def test_bump_refuses_nonsense(tmp_path, version):
    path = tmp_path/'settings.ini'
    path.write_text(SETTINGS, encoding='utf-8')
    with pytest.raises(SystemExit) as refused: bump.bump(version, path)
    assert 'version' in str(refused.value)
    assert path.read_text(encoding='utf-8') == SETTINGS


@pytest.mark.slow
@pytest.mark.parametrize('name', ['normal', 'readme'])
def test_the_typed_scripts_run(tmp_path, name):
    script = ROOT/'tests'/'typed'/f'{name}.py'
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
