"""What a notebook is made of: how much of its code is exported, teaches, tests.

Lines of code are lines that are not blank, comment or docstring."""
import ast
import re
from dataclasses import dataclass

from notebooks import directives, is_code, is_folded, is_test, source

KINDS = 'exported', 'teaching', 'tests', 'exercises'
HEAD = (f'{"":20} {"seconds":>8} {"code":>6} '
        + ' '.join(f'{kind:>10}' for kind in KINDS)
        + f' {"visible":>8} {"longest cell":>13} {"line":>5} {"words":>7}')


def code_lines(
    text: str,  # the source of a cell, or of a module
) -> int:
    "How many of its lines are not blank, comment or docstring"
    lines = enumerate(text.splitlines(), 1)
    counted = {i for i, line in lines if line.strip() and line.strip()[0] != '#'}
    try: tree = ast.parse(text)
    except SyntaxError: return len(counted)      # a line magic, say
    for node in ast.walk(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            doc = node.body[0]
            counted -= {*range(doc.lineno, (doc.end_lineno or doc.lineno)+1)}
    return len(counted)


def words(
    text: str,  # Markdown
) -> int:
    "How many words of prose: without code between fences, tags and addresses"
    text = re.sub(r'^(```|~~~).*?^\1', '', text, flags=re.M | re.S)
    text = re.sub(r'<[^>]*>|\]\([^)]*\)', ' ', text)
    return len(re.findall(r"\w[\w'’-]*", text))


def is_exercise(
    text: str,  # the source of a cell
) -> bool:
    "Does the code belong to an exercise: a check, a call of one, a gap to fill in?"
    try: tree = ast.parse(text)
    except SyntaxError: return False
    for node in ast.walk(tree):
        name = ''
        if isinstance(node, ast.FunctionDef): name = node.name
        if isinstance(node, ast.Call): name = getattr(node.func, 'id', '')
        if re.fullmatch('check(_.*)?', name) or name == 'NotImplementedError':
            return True
        if isinstance(node, ast.Raise):
            if getattr(node.exc, 'id', '') == 'NotImplementedError': return True
    return False


class Exercises:
    "Which cells stand below a heading that begins with 'Exercise'"
    def __init__(self): self.level = 0           # of that heading; 0: outside

    def read(self,
        text: str,  # the next cell of Markdown
    ) -> None:
        "Follow its headings"
        text = re.sub(r'^(```|~~~).*?^\1', '', text, flags=re.M | re.S)
        for marks, title in re.findall(r'^(#+) +(.*)', text, flags=re.M):
            if self.level and len(marks) <= self.level: self.level = 0
            if not self.level and title.startswith('Exercise'): self.level = len(marks)


def kind_of(
    cell: dict,      # a cell of code
    inside: bool,    # does it stand among the exercises?
) -> str:
    "Which of `KINDS` a cell is"
    text = source(cell)
    if is_test(cell): return 'tests'
    if any(name.startswith('export') for name in directives(text)): return 'exported'
    return 'exercises' if inside or is_folded(cell) or is_exercise(text) else 'teaching'


@dataclass
class Sizes:
    "What one notebook is made of; sizes can be added"
    exported: int = 0      # lines of code that become the package
    teaching: int = 0      # lines that only the lesson has
    tests: int = 0         # lines of tests and their set-up
    exercises: int = 0     # lines of checks, of gaps to fill in, of folded machinery
    visible: int = 0       # lines of code in cells that are not folded
    cell: int = 0          # lines of the longest open cell
    line: int = 0          # characters of the longest line of code
    words: int = 0         # of prose

    @property
    def code(self) -> int:
        "All lines of code"
        return self.exported+self.teaching+self.tests+self.exercises

    def __add__(self, other: 'Sizes') -> 'Sizes':
        "Both together; of the longest cell and line the longer"
        both = {name: getattr(self, name)+getattr(other, name) for name in vars(self)}
        for name in ('cell', 'line'):
            both[name] = max(getattr(self, name), getattr(other, name))
        return Sizes(**both)

    def row(self,
        name: str,                # whose sizes these are
        seconds: float | None,    # how long it ran; None: it did not
    ) -> str:
        "One line of the table below `HEAD`"
        took = '' if seconds is None else f'{seconds:.1f}'
        parts = [f'{name:20} {took:>8} {self.code:6}']
        for kind in KINDS:
            lines = getattr(self, kind)
            parts.append(f'{lines:5} {lines/max(self.code, 1):4.0%}')
        parts.append(f'{self.visible:8} {self.cell:13} {self.line:5} {self.words:7}')
        return ' '.join(parts)


def sizes(
    nb: dict,  # a notebook
) -> Sizes:
    "Count what a notebook is made of"
    total, exercises = Sizes(), Exercises()
    for cell in nb['cells']:
        text = source(cell)
        if cell['cell_type'] == 'markdown':
            exercises.read(text)
            total.words += words(text)
        if not is_code(cell): continue
        kind, lines = kind_of(cell, bool(exercises.level)), code_lines(text)
        setattr(total, kind, getattr(total, kind)+lines)
        if not is_folded(cell):
            total.visible += lines
            total.cell = max(total.cell, len(text.strip().splitlines()))
        total.line = max([total.line, *map(len, text.splitlines())])
    return total
