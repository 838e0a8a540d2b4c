"`minifastai lessons DIR --open`: JupyterLab on the reader's copy, with our settings."
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import SHOTS, chromium, needs_chromium, new_page

TOKEN = 'lessons'


def free_port() -> int:
    "A port that nobody listens to"
    with socket.socket() as listening:
        listening.bind(('127.0.0.1', 0))
        return listening.getsockname()[1]


def get(address: str) -> dict:
    "What a server answers"
    with urllib.request.urlopen(f'{address}?token={TOKEN}', timeout=30) as answer:
        return json.load(answer)


def wait_for(address: str, server: subprocess.Popen) -> None:
    "Until it answers; it must, within two minutes"
    end = time.monotonic()+120
    while time.monotonic() < end and server.poll() is None:
        try: get(f'{address}/api/status')
        except OSError: time.sleep(0.3)
        else: return
    raise AssertionError('JupyterLab does not answer')


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    "Where the reader's copy goes"
    return tmp_path_factory.mktemp('lab')/'mine'


@pytest.fixture(scope='module')
def lab(folder) -> Iterator[str]:
    "The address of a JupyterLab that the command started; extra words reach it"
    port = free_port()
    command = [sys.executable, '-m', 'minifastai', 'lessons', str(folder), '--open',
               '--no-browser', '--allow-root', f'--port={port}',
               f'--IdentityProvider.token={TOKEN}']
    server = subprocess.Popen(command, start_new_session=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f'http://127.0.0.1:{port}'
    try:
        wait_for(address, server)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def defaults(lab: str, name: str) -> dict:
    "The defaults of a plugin of JupyterLab, by the names of its settings"
    properties = get(f'{lab}/lab/api/settings/@jupyterlab/{name}')['schema']
    return {key: value.get('default')
            for key, value in properties['properties'].items()}


def test_long_lines_of_code_are_wrapped(lab):
    assert defaults(lab, 'notebook-extension:tracker')['codeCellConfig']['lineWrap']


def test_no_question_about_news_or_updates(lab):
    found = defaults(lab, 'apputils-extension:notification')
    assert found['fetchNews'] == 'false' and found['checkForUpdates'] is False


def test_the_copy_is_what_it_shows(lab):
    names = {entry['name'] for entry in get(f'{lab}/api/contents')['content']}
    assert {'index.ipynb', '98_cli.ipynb', 'engine', 'images'} <= names


def copied_again(folder: Path) -> str:
    "What the command says when it copies once more"
    command = [sys.executable, '-m', 'minifastai', 'lessons', str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout+done.stderr


@needs_chromium
def test_a_reader_opens_runs_changes_and_saves(lab, folder):
    lesson = folder/'05a_foundations.ipynb'
    before = lesson.read_text(encoding='utf-8')
    with chromium() as browser:
        page = new_page(browser, viewport={'width': 1280, 'height': 900})
        page.goto(f'{lab}/lab/tree/05a_foundations.ipynb?token={TOKEN}')
        page.locator('.jp-Notebook h1').first.wait_for()
        page.locator('.jp-Notebook-ExecutionIndicator[data-status=idle]').wait_for()
        code = page.locator('.jp-CodeCell .cm-content').first
        assert 'cm-lineWrapping' in code.get_attribute('class')
        # what JupyterLab itself changes is no change of the reader's
        page.keyboard.press('Control+s')
        wait_until(lambda: lesson.read_text(encoding='utf-8') != before)
        assert '0 files copied' in copied_again(folder)
        code.click()
        page.keyboard.press('Control+End')
        page.keyboard.type('  # mine')
        page.keyboard.press('Control+s')
        wait_until(lambda: '# mine' in lesson.read_text(encoding='utf-8'))
        assert page.locator('.jp-Dialog, .jp-toastContainer button').count() == 0
        page.screenshot(path=SHOTS/'lab-mine.png')
        page.context.close()
    assert 'kept, since you changed them: 05a_foundations.ipynb' in copied_again(folder)
    assert '# mine' in lesson.read_text(encoding='utf-8')


def wait_until(condition) -> None:
    "Until it holds; it must, within a minute"
    end = time.monotonic()+60
    while not condition():
        assert time.monotonic() < end, 'the file was not written'
        time.sleep(0.3)
