"Run all benchmarks, one process each, and write benchmarks/results.md: `make bench`; `make bench-quick` is short and writes nothing"
import datetime,importlib.metadata,importlib.util,os,platform,subprocess,sys,tempfile,time
from pathlib import Path
from common import arguments

HERE = Path(__file__).resolve().parent
SECTIONS = 'loop', 'hooks', 'growth', 'norms', 'epoch'
PACKAGES = 'torch', 'minifastai', 'fastai', 'lightning', 'pytorch-ignite', 'skorch', 'pyperf'

def machine():
    "What this ran on; no name of the machine"
    model = platform.processor() or platform.machine()
    if os.path.exists('/proc/cpuinfo'):
        with open('/proc/cpuinfo') as f: model = next((line.split(':')[1].strip() for line in f if line.startswith('model name')), model)
    memory = f', {os.sysconf("SC_PHYS_PAGES")*os.sysconf("SC_PAGE_SIZE")/2**30:.0f} GiB' if hasattr(os, 'sysconf') else ''
    return f'{model}, {os.cpu_count()} cores{memory}, {platform.system()}, no GPU used'

def versions():
    found = []
    for name in PACKAGES:
        try: found.append(f'{name} {importlib.metadata.version(name)}')
        except importlib.metadata.PackageNotFoundError: pass
    return f'Python {platform.python_version()}, ' + ', '.join(found)

def section(name, quick, folder):
    "The output of one benchmark, shown while it runs"
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONWARNINGS': 'ignore', 'MINIFASTAI_BENCH_JSON': folder}
    process = subprocess.Popen([sys.executable, str(HERE/f'{name}.py'), *(['--quick'] if quick else [])], stdout=subprocess.PIPE, text=True, env=env, cwd=HERE)
    lines = []
    for line in process.stdout:
        print(line, end='', flush=True)
        lines.append(line)
    return ''.join(lines),process.wait()

def write(texts, minutes):
    missing = SECTIONS[len(texts):]
    head = (f'# Measured side by side\n\nWritten by `make bench` on {datetime.date.today()}, in {minutes:.0f} minutes. Machine: {machine()}. {versions()}.' +
            (f' **Broken off before: {", ".join(missing)}.**' if missing else '') +
            '\n\nThe candidates of one table take turns in one run. Ratios and the first column of numbers compare tenth percentiles (with fewer than ten rounds: the best), since other programs on the machine '
            'only ever add time; the median and the middle half of the rounds show how much they did. One thread unless a table says otherwise: small operations on two threads vary a great deal. '
            'Raw numbers are left in `build/bench` as JSON for `pyperf`.\n')
    (HERE/'results.md').write_text(head+''.join(texts), encoding='utf-8')

def main():
    args = arguments(__doc__).parse_args()
    start,texts,failed = time.time(),[],[]
    folder = os.environ.get('MINIFASTAI_BENCH_JSON') or (tempfile.mkdtemp() if args.quick else str(HERE.parent/'build'/'bench'))
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in SECTIONS:
        text,code = section(name, args.quick, folder if importlib.util.find_spec('pyperf') else '')
        if code and args.quick:
            print(f'\n{name} once more: on a noisy machine one bad run says little\n')
            text,code = section(name, args.quick, '')
        texts.append(text)
        if code: failed.append(name)
        if not args.quick: write(texts, (time.time()-start)/60)           # after each, so that a run that is broken off leaves what it has
    if not args.quick: print(f'\nwritten: benchmarks/results.md, after {(time.time()-start)/60:.1f} minutes')
    if failed: sys.exit(f'failed: {", ".join(failed)}')

if __name__=='__main__': main()
