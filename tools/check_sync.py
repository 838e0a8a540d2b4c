"""Would `make sync` change anything, or refuse something? `python tools/check_sync.py`

It is tried on a copy, so that the work tree stays as it is."""
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = 'nbs', 'minifastai', 'tests', 'tools'
CONFIG = 'pyproject.toml', 'settings.ini'
# not tracked, or too large to copy; nbdev writes _modidx.py anew, and nobody reads it
LEFT_OUT = shutil.ignore_patterns(
    '__pycache__', '.ipynb_checkpoints', '.hypothesis', '*.gz', '_modidx.py')


def copy_project(to: Path) -> None:
    "Copy what the export reads and writes"
    for part in PARTS: shutil.copytree(ROOT/part, to/part, ignore=LEFT_OUT)
    for name in CONFIG: shutil.copy(ROOT/name, to)


def files(root: Path) -> set[Path]:
    "All files of a copy, but for what its own run left there"
    found = (path for part in PARTS for path in (root/part).rglob('*'))
    return {path.relative_to(root) for path in found if path.is_file()
            and path.name != '_modidx.py' and '__pycache__' not in path.parts}


def changed(old: Path, new: Path) -> list[str]:
    "The files that two copies do not share, or that differ"
    was, now = files(old), files(new)
    differ = {path for path in was & now
              if not filecmp.cmp(old/path, new/path, shallow=False)}
    return sorted(str(path) for path in (was ^ now) | differ)


REMINDER = '''
The notebooks are not synced: the tests that ran are those of the last `make sync`, and
not those of the notebooks. `make check-sync` says what differs.'''


def main() -> int:
    "Sync a copy and compare it with another; --reminder: only speak if they differ"
    brief = '--reminder' in sys.argv[1:]
    with tempfile.TemporaryDirectory() as tmp:
        old, new = Path(tmp)/'old', Path(tmp)/'new'
        for copy in (old, new): copy_project(copy)
        env = {**os.environ, 'PYTHONPATH': str(new), 'PYTHONDONTWRITEBYTECODE': '1',
               'BIN': str(Path(sys.executable).parent)}
        sync = subprocess.run(['sh', 'tools/sync'], cwd=new, env=env,
                              capture_output=brief)
        found = changed(old, new)
    if brief:
        if found or sync.returncode: print(REMINDER)
        return 0
    if found:
        print('`make sync` would change these files: '
              'run it, look at the change, and commit it:\n ', '\n  '.join(found))
    if found or sync.returncode: return 1
    print('notebooks, package and tests agree')
    return 0


if __name__ == '__main__': sys.exit(main())
