"The package as a user gets it: a wheel, in an environment that holds nothing else, run from another folder."
import ast,json,os,re,subprocess,sys,venv,zipfile
from configparser import ConfigParser
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parents[2]

def run(*args, cwd, **kwargs):
    env = {k: v for k,v in os.environ.items() if k not in ('PYTHONPATH', 'VIRTUAL_ENV')}
    done = subprocess.run([str(a) for a in args], cwd=cwd, env=env, capture_output=True, text=True, timeout=1500, **kwargs)
    assert done.returncode==0, f'{args}\n{done.stdout}\n{done.stderr}'
    return done.stdout

@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    "The wheel that `python -m build` makes, by way of the source distribution, of what git tracks, not of what lies about"
    source,out = tmp_path_factory.mktemp('source'),tmp_path_factory.mktemp('dist')
    for name in run('git', 'ls-files', cwd=ROOT).splitlines():
        if not (ROOT/name).exists(): continue
        (source/name).parent.mkdir(parents=True, exist_ok=True)
        (source/name).write_bytes((ROOT/name).read_bytes())
    run(sys.executable, '-m', 'build', '--outdir', out, source, cwd=source)
    return next(out.glob('*.whl'))

def test_wheel_holds_data_and_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ('minifastai/mnist/train-images-idx3-ubyte.gz', 'minifastai/mnist/t10k-labels-idx1-ubyte.gz', 'minifastai/mnist/README.md', 'minifastai/py.typed', 'minifastai/runner.py'):
        assert name in names
    assert any(name.endswith('LICENSE') for name in names)
    assert not any(name.startswith('tests/') for name in names)
    tracked = run('git', 'ls-files', 'nbs', cwd=ROOT).split()
    assert {name.removeprefix('minifastai/lessons/') for name in names if 'lessons/' in name}=={name.removeprefix('nbs/') for name in tracked if (ROOT/name).exists()}

def test_wheel_works_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path/'venv', with_pip=True)
    python,elsewhere = tmp_path/'venv'/'bin'/'python',tmp_path/'elsewhere'
    elsewhere.mkdir()
    run(python, '-m', 'pip', 'install', '-q', wheel, cwd=elsewhere)
    where = run(python, '-c', 'import minifastai; print(minifastai.__file__, minifastai.__version__)', cwd=elsewhere)
    assert str(tmp_path) in where
    out = run(python.parent/'minifastai', 'train', '--bs', '512', cwd=elsewhere)
    assert 'valid_accuracy' in out and (elsewhere/'report'/'index.html').exists()
    run(python, '-m', 'minifastai', 'lessons', 'mine', cwd=elsewhere)
    for source in (ROOT/'nbs').glob('*.ipynb'): assert (elsewhere/'mine'/source.name).read_bytes()==source.read_bytes()
    (elsewhere/'mine'/'index.ipynb').write_text('changed')
    for options,code,words in [([], 1, 'index.ipynb'), (['--open'], 2, 'minifastai[lessons]')]:
        done = subprocess.run([python.parent/'minifastai', 'lessons', 'mine', *options], cwd=elsewhere, capture_output=True, text=True)
        assert done.returncode==code and words in done.stderr and (elsewhere/'mine'/'index.ipynb').read_text()=='changed'
    script = 'from minifastai.all import *; data = get_databunch(); learn, run = get_runner(get_cnn_model(data, [8, 16]), data); print(run.get_preds(learn)[0].shape)'
    assert '10000, 10' in run(python, '-c', script, cwd=elsewhere)

def imported(notebook):
    "Top-level names of the packages that a notebook's code cells import"
    for cell in json.loads(notebook.read_text(encoding='utf-8'))['cells']:
        if cell['cell_type']!='code': continue
        try: tree = ast.parse(''.join(cell['source']))
        except SyntaxError: continue         # a cell with a line magic
        for node in ast.walk(tree):
            if isinstance(node, ast.Import): yield from (alias.name.split('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level: yield node.module.split('.')[0]

def test_the_lessons_need_no_more_than_their_extra():
    config = ConfigParser()
    config.read(ROOT/'settings.ini', encoding='utf-8')
    about = config['DEFAULT']
    known = {re.split('[<>=,]', name)[0] for name in (about['requirements']+' '+about['lessons_requirements']).split()} | {'IPython', 'minifastai'} | sys.stdlib_module_names   # JupyterLab brings IPython
    for notebook in (ROOT/'nbs').glob('*.ipynb'):
        assert set(imported(notebook))<=known, f'{notebook.name} imports {set(imported(notebook))-known}: add it to lessons_requirements in settings.ini'
