"Fixed seeds, marks that depend on the machine, reports that say where a test is from."
import os,random,shlex,sys
from pathlib import Path
os.environ.setdefault('MPLBACKEND', 'Agg')
# some virtual machines announce AMX without having it: a bfloat16 product then
# ends the process
os.environ.setdefault('ONEDNN_MAX_CPU_ISA', 'AVX512_CORE_FP16')
import pytest

try:
    from hypothesis import settings
    fixed = settings(derandomize=True, deadline=None, database=None)
    settings.register_profile('minifastai', fixed)
    settings.load_profile('minifastai')
except ImportError: pass

E2E = Path(__file__).parent/'e2e'
_left_out: dict[str, int] = {}

def pytest_collection_modifyitems(config, items):
    import torch
    no_gpu = pytest.mark.skip(reason='needs a GPU')
    for item in items:
        if E2E in item.path.parents:
            item.add_marker('e2e')
            # with `-n 2 --dist loadgroup` a file stays in one process,
            # but for the long tests in the browser
            group = pytest.mark.xdist_group(item.path.stem)
            if item.path.stem!='test_jupyter': item.add_marker(group)
        if item.get_closest_marker('cuda') and not torch.cuda.is_available():
            item.add_marker(no_gpu)

def pytest_deselected(items):
    for item in items:
        kinds = [kind for kind in ('e2e', 'slow') if item.get_closest_marker(kind)]
        kind = kinds[0] if kinds else 'other'
        _left_out[kind] = _left_out.get(kind, 0)+1

def pytest_sessionfinish(session):
    # one of several processes (pytest -n 2): the first one reports
    if hasattr(session.config, 'workeroutput'):
        session.config.workeroutput['left_out'] = _left_out

@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    _left_out.update(getattr(node, 'workeroutput', {}).get('left_out', {}))

def pytest_terminal_summary(terminalreporter):
    say = terminalreporter.write_line
    kinds = ('slow', 'slow', 'test-all'),('e2e', 'end-to-end', 'e2e')
    for kind,words,target in kinds:
        n = _left_out.get(kind)
        if n: say(f'left out: {n} {words} tests; `make {target}` runs them')

@pytest.fixture(autouse=True)
def fixed_seeds():
    import numpy,torch
    for seed in (random.seed, numpy.random.seed, torch.manual_seed): seed(42)
    yield
    if 'matplotlib.pyplot' in sys.modules: sys.modules['matplotlib.pyplot'].close('all')

def origin_of(item):
    "The comment `# Lesson ...` above an exported test, the docstring of another"
    lines = item.path.read_text(encoding='utf-8').splitlines()[:item.location[1]+1]
    above = [line[2:] for line in lines if line.startswith('# Lesson ')]
    return above[-1] if above else getattr(item.obj, '__doc__', None)

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed: return
    again = f'again: .venv/bin/pytest {shlex.quote(item.nodeid)}'
    text = '\n'.join(filter(None, [origin_of(item), again]))
    report.sections.append(('where it comes from', text))
