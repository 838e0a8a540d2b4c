"What the benchmarks share: candidates take turns, and every table gives ratios first"
import argparse,contextlib,importlib.metadata,os,sys
from statistics import median,quantiles

class Silent:
    "Text that nobody reads, written to what looks like a terminal: progress bars do all their work"
    encoding = 'utf-8'
    def write(self, text): return len(text)
    def flush(self): pass
    def isatty(self): return True
    def fileno(self): raise OSError('no file')

@contextlib.contextmanager
def silence():
    "Neither the peers' tables nor their bars are shown, but they are made"
    with contextlib.redirect_stdout(Silent()),contextlib.redirect_stderr(Silent()): yield

def take_turns(
    candidates, # {name: function that returns seconds}
    rounds:int, # how often
):
    "{name: [seconds]}; in every round each candidate has its turn, and the order turns round"
    times,names = {name: [] for name in candidates},list(candidates)
    for i in range(rounds):
        for name in names if i%2==0 else names[::-1]: times[name].append(candidates[name]())
    return times

def quiet(times):
    "The tenth percentile: other programs on the machine only ever add time"
    return quantiles(times, n=10)[0] if len(times)>=10 else min(times)

def report(title, times, unit, scale, bars=(), base=None, more=True, digits=1):
    """Print one table. `bars`: {name: (limit, 'ratio', 'more' or 'value')}. Returns the rows whose limit is passed, as (name, value, limit)."""
    bars,base = dict(bars),base or next(iter(times))
    print(f'\n### {title}\n')
    print(f'| | ratio | {unit} | median | middle half |{" more |" if more else ""} bar |\n|---|---:|---:|---:|---:|{"---:|" if more else ""}---|')
    late = []
    for name,seconds in times.items():
        ts = [t*scale for t in seconds]
        first = [t*scale for t in times[base]]
        ratio,extra = quiet(ts)/quiet(first),quiet(ts)-quiet(first)
        low,high = (quantiles(ts, n=4)[0],quantiles(ts, n=4)[2]) if len(ts)>1 else (ts[0],ts[0])
        verdict = ''
        if name in bars:
            limit,kind = bars[name]
            value = {'ratio': ratio, 'more': extra, 'value': quiet(ts)}[kind]
            verdict = f'{ {"ratio": "≤ ratio ", "more": "≤ +", "value": "≤ "}[kind]}{limit}: {"met" if value<=limit else "missed"}'
            if value>limit: late.append((name, value, limit))
        cells = [name, f'{ratio:.2f}', f'{quiet(ts):.{digits}f}', f'{median(ts):.{digits}f}', f'{low:.{digits}f} to {high:.{digits}f}']
        if more: cells.append(f'{extra:+.{digits}f}')
        print('| '+' | '.join([*cells, verdict])+' |', flush=True)
    keep(title, times)
    return late

def keep(title, times):
    "Write the raw numbers as pyperf's JSON, where MINIFASTAI_BENCH_JSON names a folder"
    folder = os.environ.get('MINIFASTAI_BENCH_JSON')
    if not folder: return
    import pyperf
    suite = [pyperf.Benchmark([pyperf.Run(seconds, metadata={'name': name, 'unit': 'second'}, collect_metadata=False)]) for name,seconds in times.items()]
    pyperf.BenchmarkSuite(suite).dump(os.path.join(folder, ''.join(c if c.isalnum() else '_' for c in title.lower())+'.json'), replace=True)

def arguments(doc):
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument('--quick', action='store_true', help='fewer rounds; fails only where the value is twice its bar')
    return parser

def finish(late, quick):
    "In the quick form, end with an error where a value is twice its bar; these machines are noisy"
    worst = [f'{name}: {value:.2f}, bar {limit}' for name,value,limit in late if value>2*limit]
    if quick and worst: sys.exit('more than twice the bar: '+'; '.join(worst))

def versions(): return f'torch {importlib.metadata.version("torch")}, Python {sys.version.split()[0]}'
