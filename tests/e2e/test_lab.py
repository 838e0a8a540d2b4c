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

import pytest

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
def lab(tmp_path_factory) -> Iterator[str]:
    "The address of a JupyterLab that the command started; extra words reach it"
    folder, port = tmp_path_factory.mktemp('lab')/'mine', free_port()
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
