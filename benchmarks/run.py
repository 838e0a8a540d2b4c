"""Run all benchmarks, one process each, and write benchmarks/results.md: `make bench`

`make bench-quick` is short and writes nothing."""
import datetime
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import arguments

HERE = Path(__file__).resolve().parent
SECTIONS = 'loop', 'hooks', 'growth', 'norms', 'steps', 'epoch'
PACKAGES = ('torch', 'minifastai', 'fastai', 'lightning', 'pytorch-ignite', 'skorch',
            'pyperf', 'timm')
HEAD = '''# Measured side by side

Written by `make bench` on {date}, in {minutes:.0f} minutes. Machine: {machine}. \
{versions}.{broken}

The candidates of one table take turns in one run. Ratios and the first column of \
numbers compare tenth percentiles (with fewer than ten rounds: the best), since other \
programs on the machine only ever add time; the median and the middle half of the \
rounds show how much they did. One thread unless a table says otherwise: small \
operations on two threads vary a great deal. Raw numbers are left in `build/bench` as \
JSON for `pyperf`.
'''


def machine():
    "What this ran on; no name of the machine"
    model, memory = platform.processor() or platform.machine(), ''
    if os.path.exists('/proc/cpuinfo'):
        lines = Path('/proc/cpuinfo').read_text().splitlines()
        names = [line.split(':')[1] for line in lines if line.startswith('model name')]
        if names: model = names[0].strip()
    if hasattr(os, 'sysconf'):
        size = os.sysconf('SC_PHYS_PAGES')*os.sysconf('SC_PAGE_SIZE')
        memory = f', {size/2**30:.0f} GiB'
    return f'{model}, {os.cpu_count()} cores{memory}, {platform.system()}, no GPU used'


def versions():
    "What was measured with"
    found = []
    for name in PACKAGES:
        try: found.append(f'{name} {importlib.metadata.version(name)}')
        except importlib.metadata.PackageNotFoundError: pass
    return f'Python {platform.python_version()}, ' + ', '.join(found)


def section(name, quick, folder):
    "The output of one benchmark, shown while it runs, and its return code"
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONWARNINGS': 'ignore',
           'MINIFASTAI_BENCH_JSON': folder}
    command = [sys.executable, str(HERE/f'{name}.py'), *(['--quick'] if quick else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env,
                               cwd=HERE)
    lines = []
    for line in process.stdout:
        print(line, end='', flush=True)
        lines.append(line)
    return ''.join(lines), process.wait()


def write(texts, minutes):
    "All sections that there are"
    missing = ', '.join(SECTIONS[len(texts):])
    head = HEAD.format(
        date=datetime.date.today(), minutes=minutes, machine=machine(),
        versions=versions(), broken=f' **Broken off before: {missing}.**'*bool(missing))
    (HERE/'results.md').write_text(head+''.join(texts), encoding='utf-8')


def raw_folder(quick):
    "Where raw numbers go; '' where nothing can write them"
    folder = os.environ.get('MINIFASTAI_BENCH_JSON')
    if not folder:
        folder = tempfile.mkdtemp() if quick else str(HERE.parent/'build'/'bench')
    Path(folder).mkdir(parents=True, exist_ok=True)
    return folder if importlib.util.find_spec('pyperf') else ''


def main():
    args = arguments(__doc__.splitlines()[0]).parse_args()
    start, texts, failed = time.time(), [], []
    folder = raw_folder(args.quick)
    for name in SECTIONS:
        text, code = section(name, args.quick, folder)
        if code and args.quick:
            print(f'\n{name} once more: on a noisy machine one bad run says little\n')
            text, code = section(name, args.quick, '')
        texts.append(text)
        if code: failed.append(name)
        # after each, so that a run that is broken off leaves what it has
        if not args.quick: write(texts, (time.time()-start)/60)
    minutes = (time.time()-start)/60
    if not args.quick:
        print(f'\nwritten: benchmarks/results.md, after {minutes:.1f} minutes')
    if failed: sys.exit(f'failed: {", ".join(failed)}')


if __name__ == '__main__': main()
