"The lessons in a real JupyterLab, in a real browser: opened, run, clicked, interrupted. Copies of the notebooks, in their quick form."
import ast,builtins,copy,functools,json,os,re,signal,socket,subprocess,symtable,sys,threading,time,urllib.request
import pytest
from browser import ROOT,SHOTS,chromium,needs_chromium,new_page

pytestmark = needs_chromium
LESSONS = sorted(p.stem for p in (ROOT/'nbs').glob('*.ipynb') if p.name[0] not in '._')
SETTINGS = {
    'apputils-extension/notification': {'fetchNews': 'false', 'checkForUpdates': False, 'doNotDisturbMode': True},
    'notebook-extension/tracker': {'windowingMode': 'none', 'kernelShutdown': True},        # every cell is in the page; closing a notebook ends its kernel
    'docmanager-extension/plugin': {'autosave': False}}
SLOW = 600_000     # milliseconds; for what trains, on a slow and busy machine

@functools.cache
def read(name): return json.loads((ROOT/'nbs'/f'{name}.ipynb').read_text(encoding='utf-8'))
def source(cell): return ''.join(cell['source'])

def bare(nb):
    "A copy of the notebook without outputs"
    nb = copy.deepcopy(nb)
    for cell in nb['cells']:
        if cell['cell_type']=='code': cell['outputs'],cell['execution_count'] = [],None
    return nb

def _globals(table):
    "Names that the code of functions and classes looks up outside of them"
    return {name for child in table.get_children() for name in {s.get_name() for s in child.get_symbols() if s.is_global()} | _globals(child)}

def names(cell):
    "The names that a cell wants from the cells before it, and those that it makes"
    used,made = set(),set()
    try: statements = ast.parse(source(cell)).body
    except SyntaxError: return used,made         # magics
    for statement in statements:
        table = symtable.symtable(ast.unparse(statement), 'cell', 'exec')
        makes = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
        reads = {s.get_name() for s in table.get_symbols() if s.is_referenced()} | _globals(table)
        if not isinstance(statement, (ast.Assign, ast.AugAssign)): reads -= makes        # the name of a loop or of a `with`, a function that calls itself
        used |= reads-made
        made |= makes
    return used-set(dir(builtins)),made

def needed(cells, last):
    "Of the cells up to number `last`, those that it needs: the last one before it that makes a name it uses, and what that one needs"
    wanted,kept = set(),[]
    for i in range(last, -1, -1):
        cell = cells[i]
        if cell['cell_type']!='code' or i!=last and re.match(r'#\|\s*test ', source(cell)): continue
        used,made = names(cell)
        star = re.search(r'^(%|from .* import \*)', source(cell), re.M)
        if i==last or made & wanted or star:
            wanted = wanted-made | used
            kept.insert(0, i)
    return kept

def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]

@pytest.fixture(scope='module')
def lab(tmp_path_factory):
    "The address of a JupyterLab of its own: own settings, own folders, no news, no look at other hosts"
    home = tmp_path_factory.mktemp('jupyter')
    folder = home/'lessons'
    (folder/'images').mkdir(parents=True)
    for path in (ROOT/'nbs').glob('images/*'): (folder/'images'/path.name).write_bytes(path.read_bytes())
    for name in LESSONS:
        (folder/f'{name}.ipynb').write_text(json.dumps(read(name)), encoding='utf-8')
        (folder/f'run_{name}.ipynb').write_text(json.dumps(bare(read(name))), encoding='utf-8')
    nb = bare(read('index'))
    last = next(i for i,cell in enumerate(nb['cells']) if cell['cell_type']=='code' and 'run.fit(1, learn)' in source(cell))
    nb['cells'] = [nb['cells'][i] for i in needed(nb['cells'], last)]
    nb['cells'][-1]['source'] = source(nb['cells'][-1]).replace('run.fit(1, learn)', 'run.fit(epochs, learn)')
    for text in ('print("still here", len(run.recorder.losses)>0)', 'epochs = 100'): nb['cells'].insert(0 if '=' in text and 'print' not in text else len(nb['cells']), {**nb['cells'][0], 'id': text[:6].strip(), 'source': text})
    (folder/'long.ipynb').write_text(json.dumps(nb), encoding='utf-8')
    for name,setting in SETTINGS.items():
        path = home/'settings'/'@jupyterlab'/f'{name}.jupyterlab-settings'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(setting))
    port = free_port()
    env = {**{k: v for k,v in os.environ.items() if k!='MPLBACKEND'}, 'MINIFASTAI_QUICK': '1', 'OMP_NUM_THREADS': '1', 'PYDEVD_DISABLE_FILE_VALIDATION': '1', 'JUPYTERLAB_SETTINGS_DIR': str(home/'settings'), 'JUPYTERLAB_WORKSPACES_DIR': str(home/'workspaces'),
           'JUPYTER_CONFIG_DIR': str(home/'config'), 'JUPYTER_DATA_DIR': str(home/'data'), 'JUPYTER_RUNTIME_DIR': str(home/'runtime'), 'IPYTHONDIR': str(home/'ipython')}
    options = [f'--ServerApp.root_dir={folder}', '--ServerApp.ip=127.0.0.1', f'--ServerApp.port={port}', '--ServerApp.port_retries=0', '--ServerApp.open_browser=False', '--ServerApp.allow_root=True', '--IdentityProvider.token=lessons',
               '--LabApp.expose_app_in_browser=True', '--LabApp.extension_manager=readonly', '--LabApp.news_url=', '--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate']
    with open(home/'log', 'w') as log: server = subprocess.Popen([sys.executable, '-m', 'jupyterlab', *options], cwd=folder, env=env, stdout=log, stderr=log)
    try:
        for _ in range(600):
            if server.poll() is not None: pytest.fail('JupyterLab did not start:\n'+(home/'log').read_text())
            try: urllib.request.urlopen(f'http://127.0.0.1:{port}/api/status?token=lessons', timeout=5).read(); break
            except OSError: time.sleep(0.1)
        yield f'http://127.0.0.1:{port}/'
    finally:
        server.terminate()
        try: server.wait(30)
        except subprocess.TimeoutExpired: server.kill()

class Lab:
    "JupyterLab in one page of the browser"
    def __init__(self, page, address):
        self.page,self.strangers = page,[]
        page.on('request', lambda r: None if r.url.startswith((address, 'data:', 'blob:')) else self.strangers.append(r.url))
        page.goto(f'{address}lab?token=lessons&reset')
        page.wait_for_function('() => window.jupyterapp')
        page.evaluate('() => jupyterapp.restored')
    def open(self, name, kernel=True):
        "Open a notebook, wait for its cells, and for its kernel if it is to have one"
        self.page.evaluate('''async ([path, kernel]) => {
            const panel = window.panel = await jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook', ...(kernel ? {} : {kernelPreference: {shouldStart: false, canStart: true, autoStartDefault: false}})});
            await panel.context.ready; await panel.revealed; jupyterapp.shell.activateById(panel.id) }''', [f'{name}.ipynb', kernel])
        self.page.wait_for_function('() => panel.content.widgets.length', timeout=SLOW)
        if kernel: self.page.wait_for_function("() => panel.sessionContext.session?.kernel?.connectionStatus==='connected'", timeout=SLOW)
    def close(self): self.page.evaluate('() => panel.dispose()')
    def start(self, i): self.page.evaluate("i => { panel.content.activeCellIndex = i; jupyterapp.commands.execute('notebook:run-cell'); }", i)
    def idle(self): self.page.wait_for_function("() => panel.sessionContext.session?.kernel?.status==='idle' && panel.content.widgets.every(c => c.model.executionState!=='running')", timeout=SLOW)
    def run(self, i):
        "Run one cell and wait for its end; the text of its output"
        self.idle()                              # after an error the kernel drops what was asked of it too early
        before = self.page.evaluate('i => panel.content.widgets[i].model.executionCount', i)
        self.start(i)
        self.page.wait_for_function("([i, before]) => { const m = panel.content.widgets[i].model; return m.executionState!=='running' && m.executionCount!==null && m.executionCount!==before }", arg=[i, before], timeout=SLOW)
        return self.text(i)
    def text(self, i): return self.page.evaluate('i => panel.content.widgets[i].outputArea?.node.innerText ?? ""', i)
    def errors(self): return self.page.evaluate("() => panel.content.widgets.flatMap((c, i) => c.model.type!=='code' ? [] : c.model.outputs.toJSON().filter(o => o.output_type==='error').map(o => `cell ${i}: ${o.ename}: ${o.evalue}`))")
    def run_all(self):
        "Run from the first to the last cell; fails at the first error"
        self.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")
        self.page.wait_for_function('''() => panel.content.widgets.every(c => c.model.type!=='code' || !c.model.sharedModel.getSource().trim() || c.model.executionCount!==null && c.model.executionState!=='running')
            || panel.content.widgets.some(c => c.model.type==='code' && c.model.outputs.toJSON().some(o => o.output_type==='error'))''', timeout=SLOW)
        self.idle()
        assert not self.errors()
    def cell(self, i): return self.page.locator('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell').nth(i)
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

def test_every_lesson_opens_and_renders(jupyter):
    for name in LESSONS:
        cells = read(name)['cells']
        jupyter.open(name, kernel=False)
        jupyter.page.wait_for_function('n => panel.content.widgets.length===n && panel.content.node.querySelectorAll(".jp-Cell").length===n', arg=len(cells))
        heading = source(cells[0]).split('\n')[0].lstrip('# ').replace('`', '')
        jupyter.page.wait_for_function('text => panel.content.node.querySelector("h1")?.innerText.startsWith(text)', arg=heading)
        if any('$$' in source(cell) for cell in cells if cell['cell_type']=='markdown'): jupyter.page.wait_for_function('() => panel.content.node.querySelector("mjx-container")')
        jupyter.page.wait_for_function('() => [...panel.content.node.querySelectorAll("img")].every(i => i.complete && i.naturalWidth)')
        jupyter.shot(f'open-{name}')
        jupyter.close()

def test_the_address_that_make_lab_prints_leads_to_the_first_lesson(browser, tmp_path):
    env = {**os.environ, **{f'JUPYTER{part}_DIR': str(tmp_path/part) for part in ('LAB_SETTINGS', 'LAB_WORKSPACES', '_CONFIG', '_DATA', '_RUNTIME')}, 'IPYTHONDIR': str(tmp_path/'ipython')}
    options = f'--no-browser --allow-root --port={free_port()} --LabApp.news_url= --LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate'
    server = subprocess.Popen(['make', 'lab', f'ARGS={options}'], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        address = next(found[0] for line in server.stdout if (found := re.search(r'http://(localhost|127\.0\.0\.1):\d+/\S+', line)))
        assert 'token=' in address
        threading.Thread(target=server.stdout.read, daemon=True).start()      # a full pipe would stop the server
        page = new_page(browser)
        page.goto(address)
        page.locator('.jp-Notebook h1', has_text='the first ten minutes').wait_for()
        page.locator('.jp-Notebook-ExecutionIndicator[data-status=idle]').wait_for()      # a server whose kernel is being started ends late
        page.context.close()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try: server.wait(30)
        except subprocess.TimeoutExpired: os.killpg(server.pid, signal.SIGKILL)

PICTURES = sum('image/png' in output.get('data', {}) for cell in read('index')['cells'] for output in cell.get('outputs', ()))

def test_index_from_the_first_to_the_last_cell(jupyter):
    jupyter.open('run_index')
    jupyter.run_all()
    jupyter.page.wait_for_function('n => panel.content.node.querySelectorAll(".jp-OutputArea-output img").length>=n', arg=PICTURES)

def test_05a_from_the_first_to_the_last_cell_and_its_button(jupyter):
    jupyter.open('run_05a_foundations')
    jupyter.run_all()
    i = next(i for i,cell in enumerate(read('05a_foundations')['cells']) if source(cell)=='make_hi_button()')
    button = jupyter.cell(i).get_by_role('button', name='Click me')
    assert 'hi' not in jupyter.text(i).split()
    button.click(); button.click()
    jupyter.page.wait_for_function('i => panel.content.widgets[i].outputArea.node.innerText.split(/\\s+/).filter(word => word==="hi").length===2', arg=i)

WIDGETS = {'05c_entropy': 'entropy_widget()', '05f_lr_finder': 'box = rate_widget(learn, finder)', '06b_hooks': 'hist_widget(stats)'}

@pytest.mark.parametrize('name', [name for name in WIDGETS if name in LESSONS])
def test_sliders(jupyter, name):
    "The cells that the widget needs, then its own; each slider moved with the keyboard changes what is drawn"
    cells = read(name)['cells']
    last = max(i for i,cell in enumerate(cells) if cell['cell_type']=='code' and WIDGETS[name] in source(cell) and 'test' not in source(cell).split('\n')[0])
    jupyter.open(f'run_{name}')
    for i in needed(cells, last): jupyter.run(i)
    assert not jupyter.errors()
    cell = jupyter.cell(last)
    drawn = '''i => { const node = panel.content.widgets[i].outputArea.node; return [...node.querySelectorAll('.widget-html-content')].map(e => e.innerHTML).join() + [...node.querySelectorAll('img.widget-image')].map(e => e.src).join() }'''
    handles = cell.locator('.noUi-handle')
    handles.first.wait_for()
    for k in range(handles.count()):
        before = jupyter.page.evaluate(drawn, last)
        handles.nth(k).focus()
        for _ in range(3): jupyter.page.keyboard.press('ArrowRight')
        jupyter.page.wait_for_function(f'([i, before]) => ({drawn})(i)!==before', arg=[last, before])
    if name=='06b_hooks':
        before = jupyter.page.evaluate(drawn, last)
        cell.locator('select').first.select_option(index=1)
        jupyter.page.wait_for_function(f'([i, before]) => ({drawn})(i)!==before', arg=[last, before])

def moving(jupyter, i):
    "Wait until the training of cell i is in its middle: the bar moves"
    width = "i => parseFloat(panel.content.widgets[i].outputArea.node.querySelector('.progress-bar')?.style.width) || 0"
    jupyter.page.wait_for_function(f'i => ({width})(i)>2', arg=i, timeout=SLOW)
    first = jupyter.page.evaluate(width, i)
    jupyter.page.wait_for_function(f'([i, first]) => ({width})(i)!==first', arg=[i, first], timeout=SLOW)

def test_stop_and_go_on_then_restart_and_run_again(jupyter):
    jupyter.open('long')
    n = jupyter.page.evaluate('() => panel.content.widgets.length')
    training,after = n-2,n-1
    toolbar = jupyter.page.locator('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-NotebookPanel-toolbar')
    for i in range(training): jupyter.run(i)
    jupyter.start(training)
    moving(jupyter, training)
    toolbar.locator('[data-command="notebook:interrupt-kernel"], [data-jp-item-name="interrupt"]').first.click()
    jupyter.page.wait_for_function("i => panel.content.widgets[i].model.outputs.toJSON().some(o => o.ename==='KeyboardInterrupt')", arg=training, timeout=SLOW)
    assert 'still here True' in jupyter.run(after)
    jupyter.page.evaluate("() => panel.content.widgets[0].model.sharedModel.setSource('epochs = 1')")
    jupyter.run(0)
    assert 'valid_accuracy' in jupyter.run(training)                  # goes on with the weights that it had
    jupyter.page.evaluate("() => panel.content.widgets[0].model.sharedModel.setSource('epochs = 100')")
    jupyter.run(0)
    jupyter.start(training)
    moving(jupyter, training)
    toolbar.locator('[data-command="notebook:restart-kernel"], [data-jp-item-name="restart"]').first.click()
    jupyter.page.locator('.jp-Dialog button.jp-mod-accept').click()
    jupyter.page.locator('.jp-Dialog').wait_for(state='detached')
    jupyter.page.wait_for_function("() => panel.sessionContext.session?.kernel?.status!=='busy' && panel.content.widgets.every(c => c.model.executionState!=='running')", timeout=SLOW)
    assert 'NameError' in jupyter.run(after)                          # a new kernel, which knows nothing
    jupyter.page.evaluate("() => panel.content.widgets[0].model.sharedModel.setSource('epochs = 1')")
    for i in range(n): jupyter.run(i)
    assert not jupyter.errors() and 'valid_accuracy' in jupyter.text(training)
