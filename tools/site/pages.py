"What mkdocs asks for while it builds the site: pages for notebooks and modules."
import html
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT, ROOT/'tools', ROOT/'tools'/'site'): sys.path.insert(0, str(folder))

from api_page import api_index, api_page, known, modules, short
from lesson_page import Lesson
from notebooks import find, name_of, notebooks, repository

LESSONS: dict[str, Lesson] = {}


def titled(name: str) -> dict[str, str]:
    "A lesson in the table of contents: its number, its title, its page"
    number = '' if name == 'index' else Path(name).name.split('_')[0]+' '
    return {f'{number}{LESSONS[name].title}': f'{name}.md'}


def on_config(config):
    "Read the notebooks, and say what the table of contents holds"
    url = repository()
    if url: config.repo_url = url
    # where it will be published, for its list of pages; the workflow knows
    config.site_url = os.environ.get('SITE_URL') or config.site_url
    paths = sorted(notebooks(), key=lambda path: path.stem != 'index')
    for path in paths: LESSONS[name_of(path)] = Lesson(path, url)
    engine = [name for name in LESSONS if name.startswith('engine/')]
    pages = [{'All names': 'api/index.md'},
             *({short(module): f'api/{short(module)}.md'} for module in modules())]
    config.nav = [*(titled(name) for name in LESSONS if name not in engine),
                  *([{'The engine room': [*map(titled, engine)]}] if engine else []),
                  {'API': pages}]
    return config


def on_files(files, config):
    "Add the pages, their pictures, and what shows equations"
    from mkdocs.structure.files import File
    import mathjax            # a package that holds its files

    def add(path: str, content: str | bytes) -> None:
        files.append(File.generated(config, path, content=content))

    for name, lesson in LESSONS.items():
        add(f'{name}.md', f'# {lesson.title}\n')     # the rest: on_page_content
        add(f'{name}.ipynb', find(name).read_bytes())
        for path, picture in lesson.pictures.items():
            add((Path(name).parent/path).as_posix(), picture)
    for folder in ('images', 'files'):
        for path in (ROOT/'nbs'/folder).glob('*'):
            add(f'{folder}/{path.name}', path.read_bytes())
    names = known()
    for module, built in modules().items():
        add(f'api/{short(module)}.md', api_page(module, built, names))
    add('api/index.md', api_index())
    script = Path(mathjax.__file__).parent/'static/mathjax/es5/tex-svg.js'
    add('mathjax/tex-svg.js', script.read_bytes())
    return files


def contents(headings: list[tuple[int, str, str]]) -> list[dict]:
    "(level, anchor, text) of each heading as mkdocs wants them: those below inside"
    tokens: list[dict] = []
    above: list[dict] = []
    for level, anchor, text in headings:
        token = {'level': level, 'id': html.escape(anchor), 'name': html.escape(text),
                 'children': []}
        while above and above[-1]['level'] >= level: above.pop()
        (above[-1]['children'] if above else tokens).append(token)
        above.append(token)
    return tokens


def on_page_content(content, page, config, files):
    "Put the lesson in its place"
    from mkdocs.structure.toc import get_toc
    lesson = LESSONS.get(page.file.src_uri.removesuffix('.md'))
    if lesson is None: return content
    page.toc = get_toc(contents(lesson.headings))
    return lesson.html
