"""What mkdocs asks for while it builds the site: a page for each notebook, a page for each module.

Notebooks are rendered by nbconvert's own Markdown, so that they read here as in Jupyter; the API pages are made from signatures, docstrings and the comments beside the parameters."""
import base64,html,inspect,json,os,pprint,re,struct,sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NBS = ROOT/'nbs'
sys.path.insert(0, str(ROOT))

def notebooks():
    "In the order of reading: index, the lessons, the appendices"
    paths = sorted(p for p in NBS.glob('*.ipynb') if p.name[0] not in '._')
    return sorted(paths, key=lambda p: p.stem!='index')

def modules():
    "Modules with public names, in the order of their lessons; their lessons"
    for path in notebooks():
        source = path.read_text(encoding='utf-8')
        if (found := re.search(r'#\|\s*default_exp (\w+)', source)) and getattr(module := import_module(f'minifastai.{found[1]}'), '__all__', None): yield module,path

# ---- lessons ----

def _links(page):
    "Links to notebooks become links to their pages"
    return re.sub(r'(href=")([\w-]+)\.ipynb((?:#[^"]*)?")', r'\1\2.html\3', page)

class Lesson:
    "One notebook as HTML, its headings, and its pictures"
    def __init__(self, path):
        from nbconvert.filters.markdown import markdown2html_mistune
        self.markdown,self.name,self.pictures,self.headings,self.taken = markdown2html_mistune,path.stem,{},[],set()
        cells = json.loads(path.read_text(encoding='utf-8'))['cells']
        self.title = re.match(r'# (.+)', ''.join(cells[0]['source']))[1].replace('`', '')
        parts = []
        for cell in cells:
            source = ''.join(cell['source'])
            parts.append(self.prose(source) if cell['cell_type']=='markdown' else self.code(source, cell['outputs'], cell['metadata'].get('fig_alt', ''), cell['metadata'].get('jupyter', {}).get('source_hidden')))
        self.html = '\n'.join(parts)

    def prose(self, source):
        page = _links(self.markdown(source))
        return f'<div class="prose">{re.sub(r"<h([1-6])([^>]*)>(.*?)</h[1-6]>", self.heading, page, flags=re.S)}</div>'

    def heading(self, match):
        level,inside = int(match[1]),re.sub(r'<a class="anchor-link".*?</a>', '', match[3])
        text = html.unescape(re.sub('<[^>]+>', '', inside)).strip()
        anchor = re.sub(r'["\\<>]', '', text).replace(' ', '-')     # as Jupyter makes it, so that links work there and here, but for what the theme's script cannot look up
        while anchor in self.taken: anchor += '-'
        self.taken.add(anchor)
        self.headings.append((level, anchor, text))
        return f'<h{level} id="{html.escape(anchor)}">{inside}<a class="headerlink" href="#{html.escape(anchor)}" title="Permanent link">¶</a></h{level}>'

    def code(self, source, outputs, alt, folded=False):
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer
        code = highlight(source, PythonLexer(), HtmlFormatter(cssclass='highlight', wrapcode=True))
        if folded: code = f'<details><summary>A test of the solution</summary>{code}</details>'
        shown = ''.join(self.output(output, alt) for output in outputs)
        return code + (f'<div class="output" tabindex="0">{shown}</div>' if shown else '')

    def output(self, output, alt):
        from nbconvert.filters.ansi import ansi2html
        if output['output_type']=='stream': return f'<pre>{ansi2html("".join(output["text"]))}</pre>'
        if output['output_type']=='error': return f'<pre>{ansi2html(chr(10).join(output["traceback"]))}</pre>'
        data = {kind: ''.join(value) if isinstance(value, list) else value for kind,value in output['data'].items()}
        if 'image/png' in data: return self.picture(data['image/png'], alt)
        if 'image/svg+xml' in data: return data['image/svg+xml']
        if 'application/vnd.jupyter.widget-view+json' in data:
            # what tools/lessons.py kept of the widget; a progress bar that was closed has left nothing
            return re.sub(r'src="data:image/png;base64,([^"]+)"', lambda m: 'src="'+self.keep(m[1])+'"', data.get('text/html', ''))
        if 'text/html' in data: return re.sub(r'<script.*?</script>', '', _links(data['text/html']), flags=re.S)
        if 'text/markdown' in data: return self.prose(data['text/markdown'])
        if 'text/latex' in data: return f'<div class="prose">{html.escape(data["text/latex"])}</div>'
        return f'<pre>{html.escape(data.get("text/plain", ""))}</pre>'

    def keep(self, encoded):
        name = f'pictures/{self.name}-{len(self.pictures)+1}.png'
        self.pictures[name] = base64.b64decode(encoded)
        return name

    def picture(self, encoded, alt):
        name = self.keep(encoded)
        width,height = struct.unpack('>II', self.pictures[name][16:24])
        return f'<img src="{name}" width="{width}" height="{height}" loading="lazy" alt="{html.escape(alt)}">'

# ---- API ----

WIDTH = 60      # characters of code in a line

def _known(): return {name: f'{module.__name__.split(".")[1]}.md#{name}' for module,_ in modules() for name in module.__all__}

def _text(doc, known):
    "A docstring as Markdown; names of the library become links"
    doc = re.sub(r'(?<![<(])(https?://[^\s)>,]+[^\s)>,.;])', r'<\1>', inspect.cleandoc(doc or ''))
    doc = re.sub(r'(?m)^([ \t]+)(?=\S)', r'', doc)
    return re.sub(r'`([A-Za-z_]\w*)`', lambda m: f'[`{m[1]}`]({known[m[1]]})' if m[1] in known else m[0], doc)

def _type(annotation):
    if annotation is inspect.Parameter.empty: return ''
    text = annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, '__origin__') and not getattr(annotation, '__args__', None) else str(annotation)
    return re.sub(r'\b(?:typing|collections\.abc|minifastai\.\w+|torch(?:\.\w+)*)\.(?=[A-Z])', '', text)

def _cell(text): return text.replace('|', '\\|').replace('\n', ' ')

def _default(value):
    if value is inspect.Parameter.empty: return ''
    return getattr(value, '__name__', None) or repr(value)

def _parameters(obj, known):
    "The table of a function's parameters, by fastcore's docments"
    from fastcore.docments import docments
    try: signature,comments = inspect.signature(obj),docments(obj, full=True, args_kwargs=True)
    except (TypeError, ValueError): return ''
    rows = []
    for name,parameter in signature.parameters.items():
        if name in ('self', 'cls'): continue
        star = {parameter.VAR_POSITIONAL: '*', parameter.VAR_KEYWORD: '**'}.get(parameter.kind, '')
        default,kind = _default(parameter.default),_type(parameter.annotation)
        rows.append([f'`{star}{name}`', f'`{kind}`' if kind else '', f'`{default}`' if default else '', _cell(_text((comments.get(name) or {}).get('docment') or '', known))])
    back = (comments.get('return') or {}).get('docment')
    rows = [['parameter', 'type', 'default', ' '], ['---']*4, *rows]
    kept = [i for i in range(4) if any(row[i].strip() for row in rows[2:])]         # an empty column only takes room, on a phone above all
    table = '\n'.join('| '+' | '.join(row[i] for i in kept)+' |' for row in rows)+'\n\n' if rows[2:] else ''
    return table + (f'Returns {_text(back, known)}\n\n' if back else '')

def _signature(obj, name):
    try: parameters = [p for p in inspect.signature(obj).parameters.values() if p.name not in ('self', 'cls')]
    except (TypeError, ValueError): return name
    stars = {inspect.Parameter.VAR_POSITIONAL: '*', inspect.Parameter.VAR_KEYWORD: '**'}
    shown = [stars.get(p.kind, '')+p.name+('' if p.default is p.empty else '='+_default(p.default)) for p in parameters]
    line = f'{name}({", ".join(shown)})'
    return line if len(line)<=WIDTH else f'{name}(\n    '+',\n    '.join(shown)+')'

def _entry(obj, name, known, level=2, anchor=None):
    kind = 'class ' if isinstance(obj, type) else ''
    lines = [f'{"#"*level} {name} {{ #{anchor or name} }}', '']
    if not callable(obj): return '\n'.join([*lines, f'```python\n{name} = {pprint.pformat(obj, width=WIDTH, compact=True)}\n```', ''])
    lines += [f'```python\n{kind}{_signature(obj, name)}\n```', '', _text(obj.__doc__ if not isinstance(obj, type) or '__doc__' in vars(obj) else '', known), '', _parameters(obj, known)]
    if isinstance(obj, type):
        for method,f in vars(obj).items():
            if method[0]!='_' and (inspect.isfunction(f) or isinstance(f, (property, staticmethod, classmethod))) and f.__doc__:
                f = f.fget if isinstance(f, property) else getattr(obj, method)
                lines.append(_entry(f, method, known, level+1, f'{name}.{method}'))
    return '\n'.join(lines)

def api_page(module, lesson, known):
    "One module: its docstring, its public names"
    name = module.__name__.split('.')[1]
    return '\n\n'.join([f'# minifastai.{name}', _text(module.__doc__, known), f'Built in [{lesson.stem}](../{lesson.stem}.md).', *(_entry(getattr(module, public), public, known) for public in module.__all__)])

def api_index():
    "All public names, module by module"
    rows = [f'| [{module.__name__.split(".")[1]}]({module.__name__.split(".")[1]}.md) | ' + ', '.join(f'[`{name}`]({module.__name__.split(".")[1]}.md#{name})' for name in module.__all__)+' |' for module,_ in modules()]
    return '\n'.join(['# API', '', '`from minifastai.all import *` gives all public names of the lessons; the appendices `cli` and `export` are imported by their own names.', '', '| module | names |', '|---|---|', *rows])

# ---- mkdocs ----

LESSONS = {}

def on_config(config):
    for path in notebooks(): LESSONS[path.stem] = Lesson(path)
    number = lambda name: '' if name=='index' else name.split('_')[0]+' '
    config.nav = [*({f'{number(name)}{lesson.title}': f'{name}.md'} for name,lesson in LESSONS.items()),
                  {'API': [{'All names': 'api/index.md'}, *({m.__name__.split('.')[1]: f'api/{m.__name__.split(".")[1]}.md'} for m,_ in modules())]}]
    return config

def on_files(files, config):
    from mkdocs.structure.files import File
    add = lambda path,content: files.append(File.generated(config, path, content=content))
    for name,lesson in LESSONS.items():
        add(f'{name}.md', f'# {lesson.title}\n')          # on_page_content puts the lesson here
        for path,picture in lesson.pictures.items(): add(path, picture)
    for path in NBS.glob('images/*'): add(f'images/{path.name}', path.read_bytes())
    known = _known()
    for module,lesson in modules(): add(f'api/{module.__name__.split(".")[1]}.md', api_page(module, lesson, known))
    add('api/index.md', api_index())
    import mathjax            # a package that holds its files
    add('mathjax/tex-svg.js', (Path(mathjax.__file__).parent/'static/mathjax/es5/tex-svg.js').read_bytes())
    return files

def on_page_content(content, page, config, files):
    lesson = LESSONS.get(page.file.src_uri.removesuffix('.md'))
    if lesson is None: return content
    from mkdocs.structure.toc import get_toc
    tokens,stack = [],[]
    for level,anchor,text in lesson.headings:
        token = {'level': level, 'id': html.escape(anchor), 'name': html.escape(text), 'children': []}
        while stack and stack[-1]['level']>=level: stack.pop()
        (stack[-1]['children'] if stack else tokens).append(token)
        stack.append(token)
    page.toc = get_toc(tokens)
    return lesson.html
