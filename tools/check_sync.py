"Would exporting and cleaning change anything? Done on a copy, so that the work tree stays as it is."
import filecmp,os,shutil,subprocess,sys,tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = 'nbs','minifastai','tests'
IGNORE = shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints', '.hypothesis', '*.gz', '.last_checked', '_modidx.py')

def files(root): return {p.relative_to(root) for part in PARTS for p in (root/part).rglob('*') if p.is_file() and p.name!='_modidx.py'}

with tempfile.TemporaryDirectory() as tmp:
    old,new = Path(tmp)/'old',Path(tmp)/'new'
    for copy in (old, new):
        for part in PARTS: shutil.copytree(ROOT/part, copy/part, ignore=IGNORE)
        for name in ('pyproject.toml', 'settings.ini'): shutil.copy(ROOT/name, copy)
    env = {**os.environ, 'PYTHONPATH': str(new), 'PYTHONDONTWRITEBYTECODE': '1'}
    for command in ('nbdev-export', 'nbdev-clean'): subprocess.run([Path(sys.executable).parent/command], cwd=new, env=env, check=True)
    was,now = files(old),files(new)
    changed = sorted(str(p) for p in (was ^ now) | {p for p in was & now if not filecmp.cmp(old/p, new/p, shallow=False)})
if changed: sys.exit('`make sync` would change these files: run it, look at the change, and commit it:\n  ' + '\n  '.join(changed))
print('notebooks, package and tests agree')
