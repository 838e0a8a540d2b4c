"What all tests share: fixed seeds, marks that depend on the machine, and reports that say where a test comes from."
import os,random,sys
from pathlib import Path
os.environ.setdefault('MPLBACKEND', 'Agg')
os.environ.setdefault('ONEDNN_MAX_CPU_ISA', 'AVX512_CORE_FP16')   # some virtual machines announce AMX without having it: a bfloat16 product ends the process
import pytest

try:
    from hypothesis import settings
    settings.register_profile('minifastai', derandomize=True, deadline=None, database=None)
    settings.load_profile('minifastai')
except ImportError: pass

E2E = Path(__file__).parent/'e2e'
_left_out = {}

def pytest_collection_modifyitems(config, items):
    import torch
    for item in items:
        if E2E in item.path.parents:
            item.add_marker('e2e')
            # with `-n 2 --dist loadgroup` a file stays in one process, but for the long tests in the browser
            if item.path.stem!='test_jupyter': item.add_marker(pytest.mark.xdist_group(item.path.stem))
        if item.get_closest_marker('cuda') and not torch.cuda.is_available(): item.add_marker(pytest.mark.skip(reason='needs a GPU'))

def pytest_deselected(items):
    for item in items:
        kind = 'e2e' if item.get_closest_marker('e2e') else 'slow' if item.get_closest_marker('slow') else 'other'
        _left_out[kind] = _left_out.get(kind, 0)+1

def pytest_sessionfinish(session):
    if hasattr(session.config, 'workeroutput'): session.config.workeroutput['left_out'] = _left_out      # one of several processes (pytest -n 2): the first one reports

@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error): _left_out.update(getattr(node, 'workeroutput', {}).get('left_out', {}))

def pytest_terminal_summary(terminalreporter):
    if n := _left_out.get('slow'): terminalreporter.write_line(f'left out: {n} slow tests; `make test-all` runs them')
    if n := _left_out.get('e2e'): terminalreporter.write_line(f'left out: {n} end-to-end tests; `make e2e` runs them')

@pytest.fixture(autouse=True)
def fixed_seeds():
    import numpy,torch
    random.seed(42); numpy.random.seed(42); torch.manual_seed(42)
    yield
    if 'matplotlib.pyplot' in sys.modules: sys.modules['matplotlib.pyplot'].close('all')

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed and (origin := getattr(item.obj, '__doc__', None)): report.sections.append(('where it comes from', f'{origin}\nagain: .venv/bin/pytest {item.nodeid}'))
