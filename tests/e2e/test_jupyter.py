"""The lessons in a real JupyterLab, in a real browser: opened, run, clicked, stopped.

All of it happens to copies of the notebooks, in their quick form."""
import ast
import builtins
import copy
import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import symtable
import sys
import threading
import time
import urllib.request

import notebooks
import pytest
from browser import ROOT, SHOTS, chromium, needs_chromium, new_page
from notebooks import directives, is_code, source

pytestmark = needs_chromium
NAMES = [path.stem for path in notebooks.notebooks()]
NO_NEWS = {'fetchNews': 'false', 'checkForUpdates': False, 'doNotDisturbMode': True}
SETTINGS = {
    'apputils-extension/notification': NO_NEWS,
    # every cell is in the page; closing a notebook ends its kernel
    'notebook-extension/tracker': {'windowingMode': 'none', 'kernelShutdown': True},
    'docmanager-extension/plugin': {'autosave': False}}
NO_UPDATES = ('--LabApp.check_for_updates_class='
              'jupyterlab.handlers.announcements.NeverCheckForUpdate')
SLOW = 600_000     # milliseconds; for what trains, on a slow and busy machine


@functools.cache
def read(name: str) -> dict: return notebooks.read(notebooks.find(name))


def bare(nb: dict) -> dict:
    "A copy of the notebook without outputs"
    nb = copy.deepcopy(nb)
    for cell in filter(is_code, nb['cells']):
        cell['outputs'], cell['execution_count'] = [], None
    return nb


def looked_up(table: symtable.SymbolTable) -> set[str]:
    "Names that the code of functions and classes looks up outside of them"
    found: set[str] = set()
    for child in table.get_children():
        found |= {s.get_name() for s in child.get_symbols() if s.is_global()}
        found |= looked_up(child)
    return found


def names(cell: dict) -> tuple[set[str], set[str]]:
    "The names that a cell wants from the cells before it, and those that it makes"
    used: set[str] = set()
    made: set[str] = set()
    try: statements = ast.parse(source(cell)).body
    except SyntaxError: return used, made         # magics
    for statement in statements:
        table = symtable.symtable(ast.unparse(statement), 'cell', 'exec')
        symbols = table.get_symbols()
        makes = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
        reads = {s.get_name() for s in symbols if s.is_referenced()} | looked_up(table)
        # the name of a loop or of a `with`, a function that calls itself
        if not isinstance(statement, (ast.Assign, ast.AugAssign)): reads -= makes
        used |= reads-made
        made |= makes
    return used-set(dir(builtins)), made


def needed(cells: list[dict], last: int) -> list[int]:
    """Of the cells up to number `last`, those that it needs

    The last one before it that makes a name it uses, and what that one needs."""
    wanted: set[str] = set()
    kept: list[int] = []
    for i in range(last, -1, -1):
        cell = cells[i]
        if not is_code(cell): continue
        if i != last and 'test' in directives(source(cell)): continue
        used, made = names(cell)
        star = re.search(r'^(%|from .* import \*)', source(cell), re.M)
        if i == last or made & wanted or star:
            wanted = wanted-made | used
            kept.insert(0, i)
    return kept


def long_training() -> dict:
    "What index needs for its first training, with many epochs, and a cell after it"
    nb = bare(read('index'))
    last = next(i for i, cell in enumerate(nb['cells'])
                if is_code(cell) and 'run.fit(1, learn)' in source(cell))
    cells = [nb['cells'][i] for i in needed(nb['cells'], last)]
    text = source(cells[-1]).replace('run.fit(1, learn)', 'run.fit(epochs, learn)')
    cells[-1]['source'] = text
    first = {**cells[0], 'id': 'epochs', 'source': 'epochs = 100'}
    after = {**cells[0], 'id': 'after',
             'source': 'print("still here", len(run.recorder.losses)>0)'}
    return {**nb, 'cells': [first, *cells, after]}


def free_port() -> int:
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def jupyter_folders(home) -> dict[str, str]:
    "Variables that keep Jupyter out of the user's own folders"
    parts = {'JUPYTERLAB_SETTINGS_DIR': 'settings', 'IPYTHONDIR': 'ipython',
             'JUPYTERLAB_WORKSPACES_DIR': 'workspaces', 'JUPYTER_CONFIG_DIR': 'config',
             'JUPYTER_DATA_DIR': 'data', 'JUPYTER_RUNTIME_DIR': 'runtime'}
    return {name: str(home/part) for name, part in parts.items()}


def write_lessons(folder) -> None:
    "Each notebook as it is, and once more without outputs"
    for part in ('images', 'files'):
        shutil.copytree(ROOT/'nbs'/part, folder/part)
    texts = {name: read(name) for name in NAMES}
    texts |= {f'run_{name}': bare(read(name)) for name in NAMES}
    texts['long'] = long_training()
    for name, nb in texts.items():
        (folder/f'{name}.ipynb').write_text(json.dumps(nb), encoding='utf-8')


def write_settings(home) -> None:
    for name, setting in SETTINGS.items():
        path = home/'settings'/'@jupyterlab'/f'{name}.jupyterlab-settings'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(setting))


@pytest.fixture(scope='module')
def lab(tmp_path_factory):
    "The address of a JupyterLab with folders of its own, that looks at no other host"
    home = tmp_path_factory.mktemp('jupyter')
    folder, port = home/'lessons', free_port()
    write_lessons(folder)
    write_settings(home)
    env = {k: v for k, v in os.environ.items() if k != 'MPLBACKEND'}
    env |= {'MINIFASTAI_QUICK': '1', 'OMP_NUM_THREADS': '1',
            'PYDEVD_DISABLE_FILE_VALIDATION': '1', **jupyter_folders(home)}
    options = [
        f'--ServerApp.root_dir={folder}', '--ServerApp.ip=127.0.0.1',
        f'--ServerApp.port={port}', '--ServerApp.port_retries=0',
        '--ServerApp.open_browser=False', '--ServerApp.allow_root=True',
        '--IdentityProvider.token=lessons', '--LabApp.expose_app_in_browser=True',
        '--LabApp.extension_manager=readonly', '--LabApp.news_url=', NO_UPDATES]
    with open(home/'log', 'w') as log:
        server = subprocess.Popen([sys.executable, '-m', 'jupyterlab', *options],
                                  cwd=folder, env=env, stdout=log, stderr=log)
    status = f'http://127.0.0.1:{port}/api/status?token=lessons'
    try:
        for _ in range(600):
            if server.poll() is not None:
                pytest.fail('JupyterLab did not start:\n'+(home/'log').read_text())
            try:
                urllib.request.urlopen(status, timeout=5).read()
                break
            except OSError: time.sleep(0.1)
        yield f'http://127.0.0.1:{port}/'
    finally:
        server.terminate()
        try: server.wait(30)
        except subprocess.TimeoutExpired: server.kill()


OPEN = '''async ([path, kernel]) => {
    const none = {shouldStart: false, canStart: true, autoStartDefault: false};
    const options = {path, factory: 'Notebook'};
    if (!kernel) options.kernelPreference = none;
    const panel = await jupyterapp.commands.execute('docmanager:open', options);
    window.panel = panel;
    await panel.context.ready;
    await panel.revealed;
    jupyterapp.shell.activateById(panel.id) }'''
CONNECTED = '''() =>
    panel.sessionContext.session?.kernel?.connectionStatus==='connected' '''
STILL = "panel.content.widgets.every(c => c.model.executionState!=='running')"
IDLE = f"() => panel.sessionContext.session?.kernel?.status==='idle' && {STILL}"
RESTARTED = f"() => panel.sessionContext.session?.kernel?.status!=='busy' && {STILL}"
START = '''i => {
    panel.content.activeCellIndex = i;
    jupyterapp.commands.execute('notebook:run-cell'); }'''
COUNT = 'i => panel.content.widgets[i].model.executionCount'
HAS_RUN = '''([i, before]) => {
    const m = panel.content.widgets[i].model, n = m.executionCount;
    return m.executionState!=='running' && n!==null && n!==before }'''
TEXT = 'i => panel.content.widgets[i].outputArea?.node.innerText ?? ""'
ERRORS = '''() => panel.content.widgets.flatMap((c, i) => {
    if (c.model.type!=='code') return [];
    const errors = c.model.outputs.toJSON().filter(o => o.output_type==='error');
    return errors.map(o => `cell ${i}: ${o.ename}: ${o.evalue}`) })'''
SET = '''([i, text]) =>
    panel.content.widgets[i].model.sharedModel.setSource(text)'''
RUN_ALL = "() => { jupyterapp.commands.execute('notebook:run-all-cells'); }"
ALL_RAN = f'''() => {{
    const done = c => c.model.type!=='code' || !c.model.sharedModel.getSource().trim()
        || c.model.executionCount!==null && c.model.executionState!=='running';
    return panel.content.widgets.every(done) || ({ERRORS})().length>0 }}'''


class Lab:
    "JupyterLab in one page of the browser"
    def __init__(self, page, address):
        self.page, self.address = page, address
        self.strangers: list[str] = []
        page.on('request', self.request)
        page.goto(f'{address}lab?token=lessons&reset')
        page.wait_for_function('() => window.jupyterapp')
        page.evaluate('() => jupyterapp.restored')

    def request(self, request):
        "Note who else is asked"
        if not request.url.startswith((self.address, 'data:', 'blob:')):
            self.strangers.append(request.url)

    def wait(self, condition, arg=None):
        "Wait for what a slow machine takes long for"
        self.page.wait_for_function(condition, arg=arg, timeout=SLOW)

    def open(self, name, kernel=True):
        "Open a notebook, wait for its cells, and for its kernel if it is to have one"
        self.page.evaluate(OPEN, [f'{name}.ipynb', kernel])
        self.wait('() => panel.content.widgets.length')
        if kernel: self.wait(CONNECTED)

    def close(self): self.page.evaluate('() => panel.dispose()')

    def start(self, i): self.page.evaluate(START, i)

    def idle(self): self.wait(IDLE)

    def run(self, i):
        "Run one cell and wait for its end; the text of its output"
        self.idle()          # after an error the kernel drops what is asked too early
        before = self.page.evaluate(COUNT, i)
        self.start(i)
        self.wait(HAS_RUN, [i, before])
        return self.text(i)

    def text(self, i): return self.page.evaluate(TEXT, i)

    def errors(self): return self.page.evaluate(ERRORS)

    def run_all(self):
        "Run from the first to the last cell; fails at the first error"
        self.page.evaluate(RUN_ALL)
        self.wait(ALL_RAN)
        self.idle()
        assert not self.errors()

    def write(self, i, text):
        "Replace the source of a cell"
        self.page.evaluate(SET, [i, text])

    @property
    def panel(self): return self.page.locator('.jp-NotebookPanel:not(.lm-mod-hidden)')

    def cell(self, i): return self.panel.locator('.jp-Notebook .jp-Cell').nth(i)

    def press(self, name):
        "A button of the tool bar"
        button = (f'[data-command="notebook:{name}-kernel"], '
                  f'[data-jp-item-name="{name}"]')
        self.panel.locator('.jp-NotebookPanel-toolbar').locator(button).first.click()

    def shot(self, name): self.page.screenshot(path=SHOTS/f'lab-{name}.png')


@pytest.fixture(scope='module')
def browser():
    with chromium() as browser: yield browser


@pytest.fixture
def jupyter(lab, browser, request):
    page = new_page(browser, viewport={'width': 1300, 'height': 1000})
    jupyter = Lab(page, lab)
    yield jupyter
    jupyter.shot(re.sub(r'\W+', '-', request.node.name.removeprefix('test_')))
    page.context.close()
    assert not jupyter.strangers, f'asked other hosts: {jupyter.strangers[:5]}'


CELLS = '''n => panel.content.widgets.length===n
    && panel.content.node.querySelectorAll(".jp-Cell").length===n'''
HEADING = '''text =>
    panel.content.node.querySelector("h1")?.innerText.startsWith(text)'''
EQUATION = '() => panel.content.node.querySelector("mjx-container")'
PICTURES_THERE = '''() => [...panel.content.node.querySelectorAll("img")].every(
    i => i.complete && i.naturalWidth)'''
CLOSED = '''() => panel.content.widgets.flatMap(
    (c, i) => c.inputHidden ? [i] : [])'''
ANSWERS = '''() => panel.content.widgets.flatMap(
    (c, i) => c.outputHidden ? [i] : [])'''


def test_every_notebook_opens_and_renders(jupyter):
    for name in NAMES:
        cells = read(name)['cells']
        jupyter.open(name, kernel=False)
        jupyter.page.wait_for_function(CELLS, arg=len(cells))
        heading = source(cells[0]).split('\n')[0].lstrip('# ').replace('`', '')
        jupyter.page.wait_for_function(HEADING, arg=heading)
        prose = [source(cell) for cell in cells if not is_code(cell)]
        if any('$$' in text for text in prose): jupyter.page.wait_for_function(EQUATION)
        jupyter.page.wait_for_function(PICTURES_THERE)
        folded = [i for i, cell in enumerate(cells) if notebooks.is_folded(cell)]
        assert jupyter.page.evaluate(CLOSED) == folded
        closed = [i for i, cell in enumerate(cells) if notebooks.is_closed(cell)]
        assert jupyter.page.evaluate(ANSWERS) == closed
        jupyter.shot(f'open-{name}')
        jupyter.close()


def test_an_answer_is_closed_until_its_cell_runs(jupyter):
    at = {cell['id']: i for i, cell in enumerate(read('05d_runner')['cells'])}
    jupyter.open('run_05d_runner')
    answer = at['a-context-manager']
    assert answer in jupyter.page.evaluate(ANSWERS)
    jupyter.run(at['c4e5935e'])              # the imports
    assert 'caught' in jupyter.run(answer)
    assert answer not in jupyter.page.evaluate(ANSWERS)
    assert jupyter.cell(answer).get_by_text('caught', exact=False).last.is_visible()


def test_the_address_that_make_lab_prints_leads_to_the_first_lesson(browser, tmp_path):
    env = {**os.environ, **jupyter_folders(tmp_path)}
    options = (f'--no-browser --allow-root --port={free_port()} --LabApp.news_url= '
               f'{NO_UPDATES}')
    command = ['make', 'lab', f'ARGS={options}', f'LESSONS={tmp_path/"mine"}']
    server = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True,
        stderr=subprocess.STDOUT, start_new_session=True)
    pattern = r'http://(localhost|127\.0\.0\.1):\d+/\S+'
    try:
        found = (re.search(pattern, line) for line in server.stdout)
        address = next(filter(None, found))[0]
        assert 'token=' in address
        # a full pipe would stop the server
        threading.Thread(target=server.stdout.read, daemon=True).start()
        page = new_page(browser)
        page.goto(address)
        first = page.locator('.jp-Notebook h1', has_text='the first ten minutes')
        first.wait_for()
        # a server whose kernel is being started ends late
        page.locator('.jp-Notebook-ExecutionIndicator[data-status=idle]').wait_for()
        page.context.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try: server.wait(30)
        except subprocess.TimeoutExpired: os.killpg(server.pid, signal.SIGKILL)


N_PICTURES = sum('image/png' in output.get('data', {})
                 for cell in read('index')['cells']
                 for output in cell.get('outputs', ()))
DRAWN = '''n => panel.content.node.querySelectorAll(
    ".jp-OutputArea-output img").length>=n'''
TWO_HI = '''i => {
    const text = panel.content.widgets[i].outputArea.node.innerText;
    return text.split(/\\s+/).filter(word => word==="hi").length===2 }'''


def test_index_from_the_first_to_the_last_cell(jupyter):
    jupyter.open('run_index')
    jupyter.run_all()
    jupyter.page.wait_for_function(DRAWN, arg=N_PICTURES)


def test_05a_from_the_first_to_the_last_cell_and_its_button(jupyter):
    jupyter.open('run_05a_foundations')
    jupyter.run_all()
    i = next(i for i, cell in enumerate(read('05a_foundations')['cells'])
             if "button_and_area('Click me', say_hi)" in source(cell))
    button = jupyter.cell(i).get_by_role('button', name='Click me')
    assert 'hi' not in jupyter.text(i).split()
    button.click()
    button.click()
    jupyter.page.wait_for_function(TWO_HI, arg=i)


WIDGETS = {'05c_entropy': 'entropy_widget()',
           '05f_lr_finder': 'box = show.rate_slider(finder, losses_at)',
           '06b_hooks': 'hist_widget(stats)'}
WIDGET = '''i => {
    const node = panel.content.widgets[i].outputArea.node;
    const all = selector => [...node.querySelectorAll(selector)];
    return all('.widget-html-content').map(e => e.innerHTML).join()
        + all('img.widget-image').map(e => e.src).join() }'''
REDRAWN = f'([i, before]) => ({WIDGET})(i)!==before'


@pytest.mark.parametrize('name', WIDGETS)
def test_sliders(jupyter, name):
    """The cells that the widget needs, then its own

    Each slider that is moved with the keyboard changes what is drawn."""
    cells = read(name)['cells']
    last = max(i for i, cell in enumerate(cells)
               if is_code(cell) and WIDGETS[name] in source(cell)
               and 'test' not in source(cell).split('\n')[0])
    jupyter.open(f'run_{name}')
    for i in needed(cells, last): jupyter.run(i)
    assert not jupyter.errors()
    cell = jupyter.cell(last)
    handles = cell.locator('.noUi-handle')
    handles.first.wait_for()
    for k in range(handles.count()):
        before = jupyter.page.evaluate(WIDGET, last)
        handles.nth(k).focus()
        for _ in range(3): jupyter.page.keyboard.press('ArrowRight')
        jupyter.page.wait_for_function(REDRAWN, arg=[last, before])
    if name == '06b_hooks':
        before = jupyter.page.evaluate(WIDGET, last)
        cell.locator('select').first.select_option(index=1)
        jupyter.page.wait_for_function(REDRAWN, arg=[last, before])


BAR = '''i => {
    const node = panel.content.widgets[i].outputArea?.node;
    return parseFloat(node?.querySelector('.progress-bar')?.style.width) || 0 }'''
INTERRUPTED = '''i => panel.content.widgets[i].model.outputs.toJSON().some(
    o => o.ename==='KeyboardInterrupt')'''


def moving(jupyter, i):
    "Wait until the training of cell i is in its middle: the bar moves"
    jupyter.wait(f'i => ({BAR})(i)>2', i)
    first = jupyter.page.evaluate(BAR, i)
    jupyter.wait(f'([i, first]) => ({BAR})(i)!==first', [i, first])


def test_stop_and_go_on_then_restart_and_run_again(jupyter):
    jupyter.open('long')
    n = jupyter.page.evaluate('() => panel.content.widgets.length')
    training, after = n-2, n-1
    for i in range(training): jupyter.run(i)
    jupyter.start(training)
    moving(jupyter, training)
    jupyter.press('interrupt')
    jupyter.wait(INTERRUPTED, training)
    assert 'still here True' in jupyter.run(after)
    jupyter.write(0, 'epochs = 1')
    jupyter.run(0)
    # goes on with the weights that it had
    assert 'valid_accuracy' in jupyter.run(training)
    jupyter.write(0, 'epochs = 100')
    jupyter.run(0)
    jupyter.start(training)
    moving(jupyter, training)
    jupyter.press('restart')
    jupyter.page.locator('.jp-Dialog button.jp-mod-accept').click()
    jupyter.page.locator('.jp-Dialog').wait_for(state='detached')
    jupyter.wait(RESTARTED)
    assert 'NameError' in jupyter.run(after)       # a new kernel, which knows nothing
    jupyter.write(0, 'epochs = 1')
    for i in range(n): jupyter.run(i)
    assert not jupyter.errors() and 'valid_accuracy' in jupyter.text(training)
