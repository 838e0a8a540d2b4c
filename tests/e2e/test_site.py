"""The site as a reader meets it.

It is built once; then every page is opened in Chromium, wide, narrow, light, dark."""
import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag
from urllib.request import urlopen

import pytest
import torch
from browser import ROOT, SHOTS, chromium, needs_chromium, new_page
from notebooks import WIDTH, find, name_of, notebooks, read

pytestmark = needs_chromium
LESSONS = [name_of(path) for path in notebooks()]
WIDGET = 'application/vnd.jupyter.widget-view+json'
CONFIG = 'tools/site/mkdocs.yml'
BUILD = ['-m', 'mkdocs', 'build', '--quiet', '--strict', '-f', CONFIG]
# what a page holds: links, anchors, pictures, how far it is too wide, equations, and
# how many equations stand there as their source
FOUND = r'''() => {
    const all = selector => [...document.querySelectorAll(selector)];
    const prose = all('.prose').map(e => {
        e = e.cloneNode(true);
        e.querySelectorAll('code, pre, mjx-container').forEach(x => x.remove());
        return e.textContent });
    return {
        links: all('a[href]').map(a => a.href),
        ids: all('[id], a[name]').map(e => e.id || e.name),
        images: all('img').map(i => [i.src, i.alt]),
        too_wide: document.documentElement.scrollWidth - window.innerWidth,
        math_errors: all('mjx-merror, [data-mjx-error]').length,
        equations: all('mjx-container').length,
        raw: prose.filter(text => /\$[^$]+\$/.test(text)).length } }'''


class Quiet(SimpleHTTPRequestHandler):
    "A server that does not tell of every request"
    def log_message(self, *args): pass


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    "The address of the site, built into a folder of its own"
    folder = tmp_path_factory.mktemp('site')
    env = {**os.environ, 'NO_MKDOCS_2_WARNING': '1'}
    command = [sys.executable, *BUILD, '-d', str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout+done.stderr
    handler = partial(Quiet, directory=str(folder))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_port}/'
    server.shutdown()


@pytest.fixture(scope='module')
def browser():
    with chromium() as browser: yield browser


def listen(page, site) -> list[str]:
    "A list that fills with what goes wrong in a page"
    wrong: list[str] = []

    def console(message):
        if message.type in ('error', 'warning'):
            wrong.append(f'{page.url}: console {message.type}: {message.text}')

    def response(r):
        if r.status >= 400: wrong.append(f'{page.url}: {r.status} {r.url}')

    def request(r):
        if not r.url.startswith((site, 'data:', 'blob:')):
            wrong.append(f'{page.url}: asks another host: {r.url}')

    page.on('console', console)
    page.on('pageerror', lambda e: wrong.append(f'{page.url}: {e}'))
    page.on('response', response)
    page.on('request', request)
    return wrong


@pytest.fixture(scope='module')
def crawled(site, browser):
    "Every page that can be reached from the first, at 390 pixels; what went wrong"
    page = new_page(browser, viewport={'width': 390, 'height': 844})
    wrong, pages, todo = listen(page, site), {}, [site+'index.html']
    while todo:
        url = todo.pop()
        if url in pages: continue
        page.goto(url)
        page.wait_for_load_state('networkidle')
        page.evaluate('() => window.MathJax?.startup?.promise')
        pages[url] = page.evaluate(FOUND)
        targets = {urldefrag(link)[0] for link in pages[url]['links']}
        todo += [target for target in targets
                 if target.startswith(site) and target.endswith(('.html', '/'))]
    page.context.close()
    return pages, wrong


def test_every_lesson_and_module_has_its_page(site, crawled):
    pages, _ = crawled
    for lesson in LESSONS: assert f'{site}{lesson}.html' in pages
    for module in ('foundations', 'runner', 'norms', 'cli'):
        assert f'{site}api/{module}.html' in pages


def test_nothing_goes_wrong_and_no_other_host_is_asked(crawled):
    assert not crawled[1], '\n'.join(crawled[1][:20])


def can_be_fetched(url: str) -> bool:
    "Is there such a file?"
    try:
        with urlopen(url) as answer: return answer.status == 200
    except HTTPError: return False


def test_no_broken_link(site, crawled):
    pages, _ = crawled
    broken = []
    for url, found in pages.items():
        for link in found['links']:
            if not link.startswith(site): continue
            target, anchor = urldefrag(link)
            if not target.endswith(('.html', '/')):     # a file to download
                if not can_be_fetched(target): broken.append(f'{url}: {link}')
                continue
            if target.endswith('/'): target += 'index.html'
            known = pages.get(target)
            if known is None or anchor and unquote(anchor) not in known['ids']:
                broken.append(f'{url}: {link}')
    assert not broken, '\n'.join(broken[:20])


SLIDERS = """() => [...document.querySelectorAll('tbody tr')].map(
    row => [2, 4, 6].map(i => Number(row.cells[i].textContent)))"""


def test_the_sliders_of_05c_need_no_kernel(site, browser):
    page = new_page(browser)
    page.goto(f'{site}files/sliders.html')

    def agree() -> list:
        shown = torch.tensor(page.evaluate(SLIDERS), dtype=torch.float64)
        acts = shown[:, 0]
        wanted = torch.stack([acts, acts.softmax(0), acts.sigmoid()], 1)
        assert torch.allclose(shown, wanted, atol=6e-4)
        return acts.tolist()

    assert agree() == [3, 2, -2, 4, -1]
    for _ in range(30): page.get_by_text('all −1').click()
    assert agree() == [-5, -6, -10, -4, -9]       # they stop as one
    page.get_by_label('plane').focus()
    page.keyboard.press('End')
    assert agree() == [-5, -6, 10, -4, -9]
    page.context.close()


@contextmanager
def opened(site, browser, name, **options):
    "A page of the site; nothing may go wrong in it"
    options = {'viewport': {'width': 1280, 'height': 900}, **options}
    page = new_page(browser, **options)
    wrong = listen(page, site)
    page.goto(f'{site}{name}.html')
    yield page
    page.context.close()
    assert not wrong, '\n'.join(wrong)


# how long each bar is, as a share of its track
LENGTHS = """() => [...document.querySelectorAll('.alive tr')].slice(1).map(
    row => [2, 4].map(i => { const track = row.cells[i].firstElementChild;
        return track.firstElementChild.offsetWidth/track.offsetWidth; }))"""
BARS = """() => [...document.querySelectorAll('.alive tr')].slice(1).map(
    row => [1, 3, 5].map(i => Number(row.cells[i].textContent)))"""


def test_the_widget_of_05c_computes_on_its_page(site, browser):
    with opened(site, browser, '05c_entropy') as page:
        def agree() -> list:
            shown = torch.tensor(page.evaluate(BARS), dtype=torch.float64)
            acts = shown[:, 0]
            wanted = torch.stack([acts, acts.softmax(0), acts.sigmoid()], 1)
            assert torch.allclose(shown, wanted, atol=6e-4)
            bars = torch.tensor(page.evaluate(LENGTHS), dtype=torch.float64)
            assert torch.allclose(bars, wanted[:, 1:], atol=0.02)
            return acts.tolist()

        assert agree() == [3, 2, -2, 4, -1]
        page.get_by_role('button', name='all -1').click()
        assert agree() == [2, 1, -3, 3, -2]
        page.locator('.alive input').nth(2).focus()
        page.keyboard.press('End')
        assert agree() == [2, 1, 10, 3, -2]


def states_of(page) -> dict:
    return json.loads(page.locator('.alive .states').first.text_content())


def test_the_widget_of_05f_shows_the_losses_at_each_rate(site, browser):
    with opened(site, browser, '05f_lr_finder') as page:
        states, slider = states_of(page), page.locator('.alive input')
        slider.focus()
        for key, at in ('Home', 0), ('ArrowRight', 1), ('End', -1):
            page.keyboard.press(key)
            label = page.locator('.alive svg').get_attribute('aria-label')
            rate = float(label.split('At a rate of ')[1].split()[0])
            losses = [float(part) for part in label.split(' are ')[1].split(', ')]
            assert abs(rate/states['rates'][at]-1) < 0.05
            assert losses == states['at'][at]


@pytest.mark.parametrize('touch', [False, True], ids=['keyboard', 'touch'])
def test_the_widget_of_06b_walks_through_layers_and_batches(site, browser, touch):
    size = {'width': 390, 'height': 844} if touch else {'width': 1280, 'height': 900}
    options = {'viewport': size, 'has_touch': touch}
    with opened(site, browser, '06b_hooks', **options) as page:
        states, slider = states_of(page), page.locator('.alive input[type=range]')
        page.locator('.alive select').select_option(index=3)
        name = list(states['layers'])[3]
        layer = states['layers'][name]
        if touch:
            slider.scroll_into_view_if_needed()
            box = slider.bounding_box()
            page.touchscreen.tap(box['x']+box['width']/2, box['y']+box['height']/2)
        else:
            slider.focus()
            page.keyboard.press('End')
        i = int(slider.input_value())//states['every']
        assert 0 < i < len(layer['counts']) and touch or i == len(layer['counts'])-1
        label = page.locator('.alive svg').get_attribute('aria-label')
        mean = layer['numbers'][i][0]
        assert label.startswith(f'layer {name}, batch {i*states["every"]}: mean ')
        assert abs(float(label.split('mean ')[1].split(',')[0])-mean) < 6e-4

        def heights():
            bars = page.locator('.alive svg g rect')
            return bars.evaluate_all('all => all.map(r => +r.getAttribute("height"))')

        counts = torch.tensor(layer['counts'][i], dtype=torch.float64)
        logs = counts.log1p()
        assert torch.allclose(torch.tensor(heights()).double(), 150*logs/logs.max())
        page.locator('.alive input[type=checkbox]').uncheck()
        assert torch.allclose(torch.tensor(heights()).double(), 150*counts/counts.max())


def test_a_picture_enlarges_and_closes_again(site, browser):
    with opened(site, browser, '05b_data') as page:
        link = page.locator('a.enlarge').filter(visible=True).first
        alt = link.locator('img').get_attribute('alt')
        link.focus()
        page.keyboard.press('Enter')
        large = page.locator('dialog.enlarged img')
        assert large.get_attribute('alt') == alt
        page.keyboard.press('Escape')
        large.wait_for(state='detached')
        assert link.evaluate('link => link === document.activeElement')
        link.click()
        page.get_by_role('button', name='Close').click()
        large.wait_for(state='detached')


@pytest.mark.parametrize('name', ['05a_foundations', 'engine/91_guard'])
def test_a_notebook_can_be_downloaded_from_its_page(site, browser, name):
    with opened(site, browser, name) as page:
        address = page.get_by_text('Download this notebook').evaluate('a => a.href')
    with urlopen(address) as answer: assert answer.read() == find(name).read_bytes()


SEVEN = ('index', '05a_foundations', '05c_entropy', '05f_lr_finder', '06b_hooks',
         '07_batchnorm', 'api/runner')
OPEN_ALL = """() => document.querySelectorAll('details').forEach(
    details => { details.open = true; })"""


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('name', SEVEN)
def test_axe_finds_nothing(site, browser, name, scheme):
    from axe_playwright_python.sync_playwright import Axe
    with opened(site, browser, name, color_scheme=scheme) as page:
        page.evaluate('() => window.MathJax?.startup?.promise')
        page.evaluate(OPEN_ALL)
        found = Axe().run(page).response['violations']
        texts = [f'{fault["id"]}: {fault["help"]}: {node["html"][:200]}'
                 for fault in found for node in fault['nodes']]
        assert not texts, '\n'.join(texts[:20])


def test_readable_at_390_pixels(crawled):
    wide = {url: found['too_wide'] for url, found in crawled[0].items()
            if found['too_wide'] > 0}
    assert not wide


def test_equations_and_pictures(crawled):
    pages, _ = crawled
    assert not [url for url, found in pages.items() if found['math_errors']]
    assert not [url for url, found in pages.items() if found['raw']], 'not rendered'
    silent = [(url, src) for url, found in pages.items()
              for src, alt in found['images'] if not alt]
    assert not silent, 'a picture without a text for those who do not see it'
    norms = next(found for url, found in pages.items() if '07_batchnorm' in url)
    assert norms['equations'] > 20


def test_the_longest_line_of_code_fits_at_1280_pixels(site, browser):
    page = new_page(browser, viewport={'width': 1280, 'height': 900})
    page.goto(f'{site}07_batchnorm.html')
    room = page.evaluate('''width => {
        const code = document.querySelector('.highlight code');
        code.textContent = 'x'.repeat(width);
        return code.clientWidth - code.scrollWidth }''', WIDTH)
    page.context.close()
    assert room >= 0


def test_a_folded_test_is_one_line_until_it_is_opened(site, browser):
    page = new_page(browser, viewport={'width': 1280, 'height': 900})
    page.goto(f'{site}07_batchnorm.html')
    its_name = page.locator('summary', has_text='Test: ')
    test = page.locator('details.folded', has=its_name).first
    assert test.locator('summary').inner_text().startswith('Test: ')
    assert not test.locator('.highlight').is_visible()
    test.locator('summary').click()
    test.locator('.highlight').wait_for()
    assert '#|' not in test.locator('.highlight').inner_text()
    page.context.close()


def test_widgets_are_shown_as_they_stood(site, browser):
    shown = [(f'{name}: cell {cell["id"]}', output.get('data', {}))
             for name in LESSONS for cell in read(find(name))['cells']
             for output in cell.get('outputs', ())]
    missing = [where for where, data in shown
               if WIDGET in data and 'text/html' not in data]
    assert not missing, f'no static form, which `make notebooks` writes: {missing}'
    page = new_page(browser, viewport={'width': 390, 'height': 844})
    page.goto(site+'05a_foundations.html')
    assert page.locator('.widget-static button').count() >= 1
    page.context.close()


def test_search_finds_a_name(site, browser):
    page = new_page(browser, viewport={'width': 1280, 'height': 900})
    page.goto(site+'index.html')
    page.locator('input.md-search__input').fill('RunningBatchNorm')
    results = page.locator('.md-search-result__item a')
    results.first.wait_for()
    found = results.evaluate_all('links => links.map(a => a.getAttribute("href"))')
    assert any('norm' in href for href in found)
    page.context.close()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_light_and_dark(site, browser, scheme):
    for width in (390, 1280):
        size = {'width': width, 'height': 900}
        page = new_page(browser, viewport=size, color_scheme=scheme)
        for name in ('index', '07_batchnorm', 'api/runner'):
            page.goto(f'{site}{name}.html')
            colour = page.evaluate('getComputedStyle(document.body).backgroundColor')
            red = int(''.join(c for c in colour.split(',')[0] if c.isdigit()))
            assert red > 200 if scheme == 'light' else red < 80
            shot = f'site-{name.replace("/", "-")}-{width}-{scheme}.png'
            page.screenshot(path=SHOTS/shot)
        page.context.close()
