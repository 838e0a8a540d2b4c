"The package as a user gets it: a wheel, in an empty environment, from another folder."
import ast
import os
import re
import subprocess
import sys
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
from notebooks import is_code, notebooks, read, source

from minifastai.engine.copies import with_closed_answers

ROOT = Path(__file__).resolve().parents[2]


def run(*args, cwd, **kwargs) -> str:
    "What a command prints; it must succeed"
    ours = 'PYTHONPATH', 'VIRTUAL_ENV'
    env = {k: v for k, v in os.environ.items() if k not in ours}
    done = subprocess.run([str(a) for a in args], cwd=cwd, env=env, timeout=1500,
                          capture_output=True, text=True, **kwargs)
    assert done.returncode == 0, f'{args}\n{done.stdout}\n{done.stderr}'
    return done.stdout


def tracked(*paths: str) -> list[str]:
    "The files that git tracks, and that are there"
    names = run('git', 'ls-files', *paths, cwd=ROOT).splitlines()
    return [name for name in names if (ROOT/name).exists()]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    "The wheel made by way of the source distribution, of what git tracks"
    source, out = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('dist')
    for name in tracked():
        (source/name).parent.mkdir(parents=True, exist_ok=True)
        (source/name).write_bytes((ROOT/name).read_bytes())
    run(sys.executable, '-m', 'build', '--outdir', out, source, cwd=source)
    return next(out.glob('*.whl'))


def test_wheel_holds_data_and_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ('mnist/train-images-idx3-ubyte.gz', 'mnist/t10k-labels-idx1-ubyte.gz',
                 'mnist/README.md', 'py.typed', 'runner.py'):
        assert f'minifastai/{name}' in names
    assert any(name.endswith('LICENSE') for name in names)
    assert not any(name.startswith('tests/') for name in names)
    assert 'minifastai/_modidx.py' not in names
    shipped = {name.split('lessons/')[1] for name in names if 'lessons/' in name}
    assert shipped == {name.removeprefix('nbs/') for name in tracked('nbs')}


def test_wheel_works_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path/'venv', with_pip=True)
    bin, elsewhere = tmp_path/'venv'/'bin', tmp_path/'elsewhere'
    python, command = bin/'python', bin/'minifastai'
    elsewhere.mkdir()
    run(python, '-m', 'pip', 'install', '-q', wheel, cwd=elsewhere)
    script = 'import minifastai; print(minifastai.__file__, minifastai.__version__)'
    assert str(tmp_path) in run(python, '-c', script, cwd=elsewhere)
    out = run(command, 'train', '--bs', '512', cwd=elsewhere)
    assert 'valid_accuracy' in out and (elsewhere/'report'/'index.html').exists()
    run(python, '-m', 'minifastai', 'lessons', 'mine', cwd=elsewhere)
    for path in (ROOT/'nbs').glob('*.ipynb'):
        copy = (elsewhere/'mine'/path.name).read_bytes()
        assert copy == with_closed_answers(path.read_bytes())
    index = elsewhere/'mine'/'index.ipynb'
    index.write_text('changed')
    for options, code, words in [([], 1, 'index.ipynb'),
                                 (['--open'], 2, 'minifastai[lessons]')]:
        done = subprocess.run([command, 'lessons', 'mine', *options], cwd=elsewhere,
                              capture_output=True, text=True)
        assert done.returncode == code and words in done.stderr
        assert index.read_text() == 'changed'
    script = ('from minifastai.all import *; data = get_databunch(); '
              'learn, run = get_runner(get_cnn_model(data, [8, 16]), data); '
              'print(run.get_preds(learn)[0].shape)')
    assert '10000, 10' in run(python, '-c', script, cwd=elsewhere)


def imported(text: str) -> set[str]:
    "The packages that code imports, but for the eyes of type checkers"
    try: todo: list[ast.AST] = [ast.parse(text)]
    except SyntaxError: return set()         # a cell with a line magic
    found: set[str] = set()
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If):
            if 'TYPE_CHECKING' in ast.unparse(node.test): continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import): found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name.split('.')[0] for name in found}


def known(*kinds: str) -> set[str]:
    "What may be imported, by the lists `kinds` of settings.ini"
    config = ConfigParser()
    config.read(ROOT/'settings.ini', encoding='utf-8')
    listed = ' '.join(config['DEFAULT'][kind] for kind in kinds).split()
    names = {re.split('[<>=~,]', name)[0] for name in listed}
    return names | sys.stdlib_module_names | {'minifastai', 'IPython'}   # JupyterLab's


def test_the_lessons_need_no_more_than_their_extra():
    for path in notebooks():
        used = set().union(*(imported(source(cell)) for cell in read(path)['cells']
                             if is_code(cell)))
        more = used-known('requirements', 'lessons_requirements')
        assert not more, f'{path.name} imports {more}: see lessons_requirements'


def test_the_package_needs_no_more_than_its_requirements():
    "And what it only imports when it is used, no more than the lessons' extra"
    for path in (ROOT/'minifastai').rglob('*.py'):
        text = path.read_text(encoding='utf-8')
        at_top = [node for node in ast.parse(text).body
                  if isinstance(node, (ast.Import, ast.ImportFrom))]
        more = set().union(*(imported(ast.unparse(node)) for node in at_top))
        assert not more-known('requirements'), f'{path.name} imports {more}'
        more = imported(text)-known('requirements', 'lessons_requirements')
        assert not more, f'{path.name} imports {more}'
