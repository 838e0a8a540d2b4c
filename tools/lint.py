"ruff and mypy, as `make lint` and CI run them; `pyproject.toml` says by what rules."
import json
import re
import subprocess
import sys
from pathlib import Path

from notebooks import ROOT


def by_nbdev(path: Path, row: int) -> bool:
    "Does the line belong to `__all__`, which nbdev writes, in lines of its own width?"
    text = path.read_text(encoding='utf-8')
    found = re.search(r'^# %% auto #0\n__all__ = \[[^]]*\]', text, re.M)
    if not found: return False
    first = text[:found.start()].count('\n')+1
    return first <= row <= first+found[0].count('\n')


def ruff(root: Path = ROOT) -> list[str]:
    "What ruff finds, a line each"
    command = [sys.executable, '-m', 'ruff', 'check', '--output-format', 'json']
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode > 1: return [done.stderr]
    found = []
    for fault in json.loads(done.stdout):
        path, row = Path(fault['filename']), fault['location']['row']
        if fault['code'] == 'E501' and by_nbdev(path, row): continue
        where = f'{path.relative_to(root)}:{row}'
        found.append(f'{where}: {fault["code"]} {fault["message"]}')
    return found


def shortened(found: list[str]) -> list[str]:
    "At most ten lines of each file"
    files: dict[str, list[str]] = {}
    for line in found: files.setdefault(line.split(':')[0], []).append(line)
    for name, lines in files.items():
        more = len(lines)-10
        if more > 0: files[name] = [*lines[:10], f'{name}: and {more} more']
    return [line for lines in files.values() for line in lines]


def main() -> int:
    "Run both; 1 if one of them finds something"
    found = ruff()
    print('\n'.join(shortened(found)) or 'ruff finds nothing')
    mypy = subprocess.run([sys.executable, '-m', 'mypy'], cwd=ROOT)
    return 1 if found or mypy.returncode else 0


if __name__ == '__main__': sys.exit(main())
