"What the benchmarks share: candidates take turns, and every table gives ratios first"
import argparse
import contextlib
import importlib.metadata
import os
import sys
from statistics import median, quantiles

SIGNS = {'ratio': '≤ ratio ', 'more': '≤ +', 'value': '≤ '}


class Silent:
    "What nobody reads and looks like a terminal: progress bars do all their work"
    encoding = 'utf-8'
    def write(self, text): return len(text)
    def flush(self): pass
    def isatty(self): return True
    def fileno(self): raise OSError('no file')


@contextlib.contextmanager
def silence():
    "Neither the peers' tables nor their bars are shown, but they are made"
    out = contextlib.redirect_stdout(Silent())
    err = contextlib.redirect_stderr(Silent())
    with out, err: yield


def take_turns(
    candidates,     # {name: function that returns seconds}
    rounds: int,    # how often
) -> dict:
    "{name: [seconds]}; in each round all have their turn, and the order turns round"
    times, names = {name: [] for name in candidates}, list(candidates)
    for i in range(rounds):
        order = names if i%2 == 0 else names[::-1]
        for name in order: times[name].append(candidates[name]())
    return times


def quiet(times):
    "The tenth percentile: other programs on the machine only ever add time"
    return quantiles(times, n=10)[0] if len(times) >= 10 else min(times)


def middle(times):
    "The borders of the middle half"
    if len(times) < 2: return times[0], times[0]
    low, _, high = quantiles(times, n=4)
    return low, high


def report(title, times, unit, scale, bars=(), base=None, more=True, digits=1):
    """Print one table. `bars`: {name: (limit, 'ratio', 'more' or 'value')}.

    Returns the rows whose limit is passed, as (name, value, limit)."""
    bars, base = dict(bars), base or next(iter(times))
    print(f'\n### {title}\n')
    head, line = (' more |', '---:|') if more else ('', '')
    print(f'| | ratio | {unit} | median | middle half |{head} bar |')
    print(f'|---|---:|---:|---:|---:|{line}---|')
    late = []
    first = quiet([t*scale for t in times[base]])
    for name, seconds in times.items():
        ts = [t*scale for t in seconds]
        low, high = middle(ts)
        value = quiet(ts)
        measured = {'ratio': value/first, 'more': value-first, 'value': value}
        verdict = ''
        if name in bars:
            limit, kind = bars[name]
            met = measured[kind] <= limit
            verdict = f'{SIGNS[kind]}{limit}: {"met" if met else "missed"}'
            if not met: late.append((name, measured[kind], limit))
        cells = [name, f'{measured["ratio"]:.2f}', f'{measured["value"]:.{digits}f}',
                 f'{median(ts):.{digits}f}', f'{low:.{digits}f} to {high:.{digits}f}']
        if more: cells.append(f'{measured["more"]:+.{digits}f}')
        print('| '+' | '.join([*cells, verdict])+' |', flush=True)
    keep(title, times)
    return late


def keep(title, times):
    "Write the raw numbers for pyperf, where MINIFASTAI_BENCH_JSON names a folder"
    folder = os.environ.get('MINIFASTAI_BENCH_JSON')
    if not folder: return
    import pyperf

    def benchmark(name, seconds):
        metadata = {'name': name, 'unit': 'second'}
        run = pyperf.Run(seconds, metadata=metadata, collect_metadata=False)
        return pyperf.Benchmark([run])

    suite = pyperf.BenchmarkSuite([benchmark(*pair) for pair in times.items()])
    name = ''.join(c if c.isalnum() else '_' for c in title.lower())
    suite.dump(os.path.join(folder, f'{name}.json'), replace=True)


def arguments(doc):
    "A parser that knows the quick form"
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument('--quick', action='store_true',
                        help='fewer rounds; fails where a value is twice its bar')
    return parser


def finish(late, quick):
    "In the quick form, fail where a value is twice its bar: these machines are noisy"
    worst = [f'{name}: {value:.2f}, bar {limit}'
             for name, value, limit in late if value > 2*limit]
    if quick and worst: sys.exit('more than twice the bar: '+'; '.join(worst))


def versions():
    "What was measured with"
    torch = importlib.metadata.version('torch')
    return f'torch {torch}, Python {sys.version.split()[0]}'
