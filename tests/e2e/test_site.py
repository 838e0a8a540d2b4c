"The site as a reader meets it: built once, then every page opened in Chromium, wide and narrow, light and dark."
import json,os,subprocess,sys,threading
from functools import partial
from http.server import SimpleHTTPRequestHandler,ThreadingHTTPServer
from urllib.parse import unquote,urldefrag,urljoin
import pytest
from browser import ROOT,SHOTS,chromium,needs_chromium,new_page

pytestmark = needs_chromium
LESSONS = sorted(p.stem for p in (ROOT/'nbs').glob('*.ipynb') if p.name[0] not in '._')

class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args): pass

@pytest.fixture(scope='module')
def site(tmp_path_factory):
    "The address of the site, built into a folder of its own"
    folder = tmp_path_factory.mktemp('site')
    env = {**os.environ, 'NO_MKDOCS_2_WARNING': '1'}
    done = subprocess.run([sys.executable, '-m', 'mkdocs', 'build', '--quiet', '--strict', '-f', 'tools/site/mkdocs.yml', '-d', str(folder)], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode==0, done.stdout+done.stderr
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}/'
    server.shutdown()

@pytest.fixture(scope='module')
def browser():
    with chromium() as browser: yield browser

@pytest.fixture(scope='module')
def crawled(site, browser):
    "Every page that can be reached from the first, opened at 390 pixels: its links, its anchors, how far it is too wide, what went wrong"
    page = new_page(browser, viewport={'width': 390, 'height': 844})
    wrong,pages,todo = [],{},[site+'index.html']
    page.on('console', lambda m: wrong.append(f'{page.url}: console {m.type}: {m.text}') if m.type in ('error', 'warning') else None)
    page.on('pageerror', lambda e: wrong.append(f'{page.url}: {e}'))
    page.on('response', lambda r: wrong.append(f'{page.url}: {r.status} {r.url}') if r.status>=400 else None)
    page.on('request', lambda r: wrong.append(f'{page.url}: asks another host: {r.url}') if not r.url.startswith((site, 'data:', 'blob:')) else None)
    while todo:
        url = todo.pop()
        if url in pages: continue
        page.goto(url)
        page.wait_for_load_state('networkidle')
        page.evaluate('() => window.MathJax?.startup?.promise')
        found = page.evaluate('''() => ({
            links: [...document.querySelectorAll('a[href]')].map(a => a.href),
            ids: [...document.querySelectorAll('[id], a[name]')].map(e => e.id || e.name),
            images: [...document.querySelectorAll('img')].map(i => [i.src, i.alt]),
            too_wide: document.documentElement.scrollWidth - window.innerWidth,
            math_errors: document.querySelectorAll('mjx-merror, [data-mjx-error]').length,
            equations: document.querySelectorAll('mjx-container').length,
            raw: [...document.querySelectorAll('.prose')].map(e => { e = e.cloneNode(true); e.querySelectorAll('code, pre, mjx-container').forEach(x => x.remove()); return e.textContent }).filter(t => /\\$[^$]+\\$/.test(t)).length})''')
        pages[url] = found
        todo += [urldefrag(link)[0] for link in found['links'] if link.startswith(site) and urldefrag(link)[0].endswith(('.html', '/'))]
    page.context.close()
    return pages,wrong

def test_every_lesson_and_module_has_its_page(site, crawled):
    pages,_ = crawled
    for lesson in LESSONS: assert f'{site}{lesson}.html' in pages
    for module in ('foundations', 'runner', 'norms', 'cli'): assert f'{site}api/{module}.html' in pages

def test_nothing_goes_wrong_and_no_other_host_is_asked(crawled):
    assert not crawled[1], '\n'.join(crawled[1][:20])

def test_no_broken_link(site, crawled):
    pages,_ = crawled
    broken = []
    for url,found in pages.items():
        for link in found['links']:
            if not link.startswith(site): continue
            target,anchor = urldefrag(link)
            if target.endswith('/'): target += 'index.html'
            known = pages.get(target)
            if known is None or anchor and unquote(anchor) not in known['ids']: broken.append(f'{url}: {link}')
    assert not broken, '\n'.join(broken[:20])

def test_readable_at_390_pixels(crawled):
    assert not {url: found['too_wide'] for url,found in crawled[0].items() if found['too_wide']>0}

def test_equations_and_pictures(crawled):
    pages,_ = crawled
    assert not [url for url,found in pages.items() if found['math_errors']]
    assert not [(url, src) for url,found in pages.items() for src,alt in found['images'] if not alt], 'a picture without a text for those who do not see it'
    assert not [url for url,found in pages.items() if found['raw']], 'an equation that was not rendered'
    assert next(found['equations'] for url,found in pages.items() if '07_batchnorm' in url)>20

def test_widgets_are_shown_as_they_stood(site, browser):
    kind,missing = 'application/vnd.jupyter.widget-view+json',[]
    for lesson in LESSONS:
        cells = json.loads((ROOT/'nbs'/f'{lesson}.ipynb').read_text(encoding='utf-8'))['cells']
        missing += [f'{lesson}: cell {cell["id"]}' for cell in cells for output in cell.get('outputs', ()) if kind in output.get('data', {}) and 'text/html' not in output['data']]
    assert not missing, f'widgets without a static form (`make notebooks` writes it): {missing}'
    page = new_page(browser, viewport={'width': 390, 'height': 844})
    page.goto(site+'05a_foundations.html')
    assert page.locator('.widget-static button').count()>=1
    page.context.close()

def test_search_finds_a_name(site, browser):
    page = new_page(browser, viewport={'width': 1280, 'height': 900})
    page.goto(site+'index.html')
    page.locator('input.md-search__input').fill('RunningBatchNorm')
    page.locator('.md-search-result__item a').first.wait_for()
    assert any('norm' in href for href in page.locator('.md-search-result__item a').evaluate_all('links => links.map(a => a.getAttribute("href"))'))
    page.context.close()

@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_light_and_dark(site, browser, scheme):
    for width in (390, 1280):
        page = new_page(browser, viewport={'width': width, 'height': 900}, color_scheme=scheme)
        for name in ('index', '07_batchnorm', 'api/runner'):
            page.goto(f'{site}{name}.html')
            red = int(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"))
            assert red>200 if scheme=='light' else red<80
            page.screenshot(path=SHOTS/f'site-{name.replace("/", "-")}-{width}-{scheme}.png')
        page.context.close()
