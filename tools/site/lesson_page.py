"""A notebook as a page of the site.

Prose is rendered by nbconvert's own Markdown, so that it reads here as in Jupyter.
Folded cells become `<details>`; directives and the set-up of tests do not show."""
import ast
import base64
import html
import re
import struct
from pathlib import Path

from notebooks import (
    ALT, COLAB, DIRECTIVE, colab_of, directives, is_closed, is_code, is_folded, name_of,
    read, source, source_of)

WIDGET = 'application/vnd.jupyter.widget-view+json'


def linked(page: str) -> str:
    "A page of HTML whose links to notebooks lead to the pages of those"
    return re.sub(r'(href="[\w./-]+)\.ipynb((?:#[^"]*)?")', r'\1.html\2', page)


def without_empty_headers(page: str) -> str:
    "A corner of a table that heads nothing is no heading"
    return re.sub(r'<th((?: [^>]*)?)>\s*</th>', r'<td\1></td>', page)


def enlarging(match: re.Match) -> str:
    "A picture as a link to itself; a script shows it enlarged"
    return f'<a class="enlarge" href="{match[1]}">{match[0]}</a>'


def is_setup(cell: dict) -> bool:
    "Is it set-up of tests, which a reader does not see in the notebook either?"
    if not is_code(cell) or not is_folded(cell): return False
    return 'test_setup' in directives(source(cell))


def shown(cells: list[dict]) -> list[dict]:
    "The cells that the site shows; a heading that has set-up alone below it goes too"
    def is_heading(cell: dict) -> bool: return 'exported tests' in source(cell)[:80]
    left_out = {i for i, cell in enumerate(cells)
                if is_setup(cell) or cell['id'].startswith(COLAB)}
    left_out |= {i-1 for i in left_out if i and is_heading(cells[i-1])}
    return [cell for i, cell in enumerate(cells) if i not in left_out]


def code_of(text: str) -> str:
    "The text of a cell without its directives"
    lines = text.splitlines()
    while lines and (not lines[0].strip() or DIRECTIVE.match(lines[0])): del lines[0]
    return '\n'.join(lines)


def defined(text: str) -> list[str]:
    "The names of the functions and classes that a cell defines"
    try: tree = ast.parse(text)
    except SyntaxError: return []
    kinds = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
    return [node.name for node in tree.body if isinstance(node, kinds)]


def summary(text: str) -> str:
    "What a folded cell says while it is closed"
    words = directives(text).get('test', '').split()
    if words:
        name = words[0].replace('_', ' ')
        if not name.startswith('solution '): return f'Test: {name}'
        return f'Test of a solution: {name.removeprefix("solution ")}'
    names = defined(text)
    return 'Code: '+', '.join(names) if names else 'Code'


class Lesson:
    "One notebook as HTML, its headings, and its pictures"
    def __init__(self,
        path: Path,        # the notebook
        url: str = '',     # where the repository is; '': nowhere yet
    ):
        self.name = name_of(path)
        self.pictures: dict[str, bytes] = {}
        self.headings: list[tuple[int, str, str]] = []
        self.taken: set[str] = set()
        cells = read(path)['cells']
        found = re.match(r'# (.+)', source(cells[0]))
        self.title = found[1].replace('`', '') if found else path.stem
        parts = [self.code(cell) if is_code(cell) else self.prose(source(cell))
                 for cell in shown(cells)]
        parts[0] = parts[0].replace('</h1>', f'</h1>{self.links(url)}', 1)
        self.html = without_empty_headers('\n'.join(parts))

    def links(self, url: str) -> str:
        "Where the notebook is to be had, below the title"
        file, colab = f'{Path(self.name).name}.ipynb', colab_of(self.name, url)
        found = [f'<a href="{file}" download>Download this notebook</a>']
        if colab: found.append(f'<a href="{html.escape(colab)}">Open in Colab</a>')
        if url:
            address = html.escape(source_of(self.name, url))
            found.append(f'<a href="{address}">Its source</a>')
        return f'<p class="notebook">{" ".join(found)}</p>'

    def prose(self, text: str) -> str:
        "A cell of Markdown"
        from nbconvert.filters.markdown import markdown2html_mistune
        page = linked(markdown2html_mistune(text))
        pattern = r'<h([1-6])([^>]*)>(.*?)</h[1-6]>'
        page = re.sub(pattern, self.heading, page, flags=re.S)
        page = re.sub(r'<img [^>]*src="([^"]+)"[^>]*>', enlarging, page)
        return f'<div class="prose">{page}</div>'

    def heading(self, match: re.Match) -> str:
        "A heading with an anchor as Jupyter makes it: links work there and here"
        level, inside = int(match[1]), match[3]
        inside = re.sub(r'<a class="anchor-link".*?</a>', '', inside)
        text = html.unescape(re.sub('<[^>]+>', '', inside)).strip()
        # the theme's script cannot look up these characters
        anchor = re.sub(r'["\\<>]', '', text).replace(' ', '-')
        while anchor in self.taken: anchor += '-'
        self.taken.add(anchor)
        self.headings.append((level, anchor, text))
        at = html.escape(anchor)
        return (f'<h{level} id="{at}">{inside}<a class="headerlink" href="#{at}" '
                f'title="Permanent link">¶</a></h{level}>')

    def code(self, cell: dict) -> str:
        "A cell of code and its outputs"
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
        code, alt = code_of(source(cell)), cell['metadata'].get(ALT, '')
        form = HtmlFormatter(cssclass='highlight', wrapcode=True)
        page = highlight(code, PythonLexer(), form) if code.strip() else ''
        if page and is_folded(cell):
            closed = html.escape(summary(source(cell)))
            page = f'<summary>{closed}</summary>{page}'
            page = f'<details class="folded">{page}</details>'
        outputs = ''.join(self.output(output, alt) for output in cell['outputs'])
        if not outputs: return page
        outputs = f'<div class="output" tabindex="0">{outputs}</div>'
        if is_closed(cell):
            outputs = f'<summary>What the cell prints</summary>{outputs}'
            outputs = f'<details class="answer">{outputs}</details>'
        return page+outputs

    def output(self, output: dict, alt: str) -> str:
        "One output of a cell; `alt` says what a picture shows"
        from nbconvert.filters.ansi import ansi2html
        kind = output['output_type']
        if kind == 'stream': return f'<pre>{ansi2html("".join(output["text"]))}</pre>'
        if kind == 'error':
            return f'<pre>{ansi2html(chr(10).join(output["traceback"]))}</pre>'
        data = {kind: ''.join(value) if isinstance(value, list) else value
                for kind, value in output['data'].items()}
        if 'image/png' in data: return self.picture(data['image/png'], alt)
        if 'image/svg+xml' in data: return data['image/svg+xml']
        # what tools/widgets.py kept of a widget; of a closed progress bar nothing
        if WIDGET in data: return self.static(data.get('text/html', ''))
        if 'text/html' in data:
            page = linked(data['text/html'])
            return re.sub(r'<script.*?</script>', '', page, flags=re.S)
        if 'text/markdown' in data: return self.prose(data['text/markdown'])
        if 'text/latex' in data:
            return f'<div class="prose">{html.escape(data["text/latex"])}</div>'
        return f'<pre>{html.escape(data.get("text/plain", ""))}</pre>'

    def static(self, page: str) -> str:
        "The static form of a widget, with its pictures in files"
        def replaced(match: re.Match) -> str: return f'src="{self.keep(match[1])}"'
        return re.sub(r'src="data:image/png;base64,([^"]+)"', replaced, page)

    def keep(self, encoded: str) -> str:
        "Note a picture that needs a file; its address, from this page"
        name = f'pictures/{Path(self.name).name}-{len(self.pictures)+1}.png'
        self.pictures[name] = base64.b64decode(encoded)
        return name

    def picture(self, encoded: str, alt: str) -> str:
        "A picture in its true size, so that the page does not jump while it loads"
        name = self.keep(encoded)
        width, height = struct.unpack('>II', self.pictures[name][16:24])
        return (f'<a class="enlarge" href="{name}"><img src="{name}" width="{width}" '
                f'height="{height}" loading="lazy" alt="{html.escape(alt)}"></a>')
