"The package as a user gets it: a wheel, in an environment that holds nothing else, run from another folder."
import os,subprocess,sys,venv,zipfile
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
    "The wheel that `python -m build` makes of what git tracks, not of what lies about"
    source,out = tmp_path_factory.mktemp('source'),tmp_path_factory.mktemp('dist')
    for name in run('git', 'ls-files', cwd=ROOT).splitlines():
        if not (ROOT/name).exists(): continue
        (source/name).parent.mkdir(parents=True, exist_ok=True)
        (source/name).write_bytes((ROOT/name).read_bytes())
    run(sys.executable, '-m', 'build', '--wheel', '--outdir', out, source, cwd=source)
    return next(out.glob('*.whl'))

def test_wheel_holds_data_and_licence(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for name in ('minifastai/mnist/train-images-idx3-ubyte.gz', 'minifastai/mnist/t10k-labels-idx1-ubyte.gz', 'minifastai/mnist/README.md', 'minifastai/py.typed', 'minifastai/runner.py'):
        assert name in names
    assert any(name.endswith('LICENSE') for name in names)
    assert not any(name.startswith('tests/') for name in names)

def test_wheel_works_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path/'venv', with_pip=True)
    python,elsewhere = tmp_path/'venv'/'bin'/'python',tmp_path/'elsewhere'
    elsewhere.mkdir()
    run(python, '-m', 'pip', 'install', '-q', wheel, cwd=elsewhere)
    where = run(python, '-c', 'import minifastai; print(minifastai.__file__, minifastai.__version__)', cwd=elsewhere)
    assert str(tmp_path) in where
    out = run(python.parent/'minifastai', 'train', '--bs', '512', cwd=elsewhere)
    assert 'valid_accuracy' in out and (elsewhere/'report'/'index.html').exists()
    script = 'from minifastai.all import *; data = get_databunch(); learn, run = get_runner(get_cnn_model(data, [8, 16]), data); print(run.get_preds(learn)[0].shape)'
    assert '10000, 10' in run(python, '-c', script, cwd=elsewhere)
