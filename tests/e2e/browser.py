"Debian's Chromium, driven by Playwright, and a folder for screenshots: for tests."
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT/'build'/'screenshots'
CHROMIUM = shutil.which('chromium')
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None,
    reason='needs chromium on the PATH (Debian: apt-get install chromium)')


def new_page(browser, **options):
    "A page in a context of its own, which waits for a slow and busy machine"
    page = browser.new_context(**options).new_page()
    page.set_default_timeout(180_000)
    return page


@contextmanager
def chromium():
    "A Chromium without a window, as a Playwright browser"
    from playwright.sync_api import sync_playwright
    SHOTS.mkdir(parents=True, exist_ok=True)
    options = ['--no-sandbox', '--disable-gpu', '--disable-background-networking']
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        try: yield browser
        finally: browser.close()
