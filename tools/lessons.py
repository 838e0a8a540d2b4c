"""Execute the notebooks from top to bottom, each in a fresh kernel.

`python tools/lessons.py [--full] [--write] [NAME ...]`. Cells of tests are left out,
since pytest runs those; with `--write` they run too, so that the outputs are those
of a reader's run. A table says what each notebook is made of (see sizes.py)."""
import argparse
import json
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from notebooks import find, is_test, name_of, notebooks, read
from sizes import HEAD, Sizes, sizes


def without_tests(
    nb: dict,   # a notebook; it stays as it is
) -> dict:
    "The notebook without its tests and their set-up"
    return {**nb, 'cells': [cell for cell in nb['cells'] if not is_test(cell)]}


def execute(
    nb: dict,                # a notebook; it stays as it is
    folder: Path,            # where its kernel works
    timeout: int = 1800,     # seconds one cell may take
) -> tuple[dict, str]:
    "The notebook with its new outputs, and which cell failed and how, or ''"
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import (
        CellExecutionError, CellTimeoutError, DeadKernelError)
    ran = nbformat.reads(json.dumps(nb), as_version=4)
    at: dict[str, str] = {}
    client = NotebookClient(
        ran, timeout=timeout, kernel_name='python3',
        record_timing=False, coalesce_streams=True,
        extra_arguments=['--IPKernelApp.log_level=40'],
        resources={'metadata': {'path': str(folder)}},
        on_cell_start=lambda cell, cell_index: at.update(cell=cell.id))
    try: client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as e:
        plain = re.sub(r'\x1b\[[0-9;]*m', '', str(e))
        return ran, f'FAILED in cell {at["cell"]}\n{plain}'
    return ran, ''


def keep(
    ran: dict,    # a notebook that was executed
    path: Path,   # its file
) -> None:
    "Write its outputs into its file: the file changes as a whole or not at all"
    import nbformat
    from widgets import keep_static
    keep_static(ran)
    partial = path.with_suffix('.ipynb.partial')
    nbformat.write(ran, partial)
    partial.replace(path)


def run_notebook(
    path: Path,      # its file
    whole: bool,     # with its tests?
    write: bool,     # keep the outputs?
    timeout: int,    # seconds one cell may take
) -> tuple[str, Sizes]:
    "Execute one notebook and print its line of the table: (how it failed or '', sizes)"
    nb = read(path)
    nb['metadata'].pop('widgets', None)
    size, start = sizes(nb), time.perf_counter()
    ran, fault = execute(nb if whole else without_tests(nb), path.parent, timeout)
    row = size.row(name_of(path), time.perf_counter()-start)
    print(f'{name_of(path)} {fault}' if fault else row, flush=True)
    if write and not fault: keep(ran, path)
    return fault, size


def arguments() -> argparse.Namespace:
    "What the command line asks for"
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('names', nargs='*', help='notebooks, such as 05b_data; all by default')
    add('--full', action='store_true',
        help='all seeds and epochs, as in the committed outputs; else the quick form')
    add('--write', action='store_true', help='write the outputs into the notebooks')
    add('--whole', action='store_true', help='run the cells of tests too')
    add('--sizes', action='store_true', help='run nothing, print the table only')
    add('--jobs', type=int,
        help='so many notebooks at a time; by default one in the full form, whose '
             'timings should not be disturbed, and in the quick form one for each '
             'core, at most four')
    add('--timeout', type=int, default=1800, help='seconds one cell may take')
    return parser.parse_args()


def environment(full: bool, write: bool) -> None:
    "What the kernels inherit"
    # widgets write down what they can show, for pages without a kernel
    if write: os.environ['MINIFASTAI_STATES'] = '1'
    os.environ.pop('MINIFASTAI_QUICK', None)
    if not full: os.environ['MINIFASTAI_QUICK'] = '1'
    os.environ.setdefault('PYDEVD_DISABLE_FILE_VALIDATION', '1')
    # two threads that fight over a busy core are slower than one
    os.environ.setdefault('OMP_NUM_THREADS', '1')


def table(paths: list[Path]) -> dict[str, Sizes]:
    "Print what each notebook is made of, and give it by name"
    found = {name_of(path): sizes(read(path)) for path in paths}
    for name, size in found.items(): print(size.row(name, None))
    return found


def sums(
    found: dict[str, Sizes],    # of each notebook
    seconds: float | None,      # how long they ran together; None: they did not
) -> str:
    "The last row of the table; below it how much of the lessons teaches, if any"
    total = sum(found.values(), Sizes())
    lessons = sum((size for name, size in found.items() if '/' not in name), Sizes())
    row = total.row('all', seconds)
    if not lessons.visible: return row
    return (f'{row}\n{lessons.teaching/lessons.visible:.0%} of the {lessons.visible:,} '
            'lines of code that are open in the lessons teach')


def run_all(
    paths: list[Path],
    args: argparse.Namespace,
) -> tuple[dict[str, str], dict[str, Sizes]]:
    "Execute notebooks side by side: (how each failed that did, the sizes of all)"
    whole = args.whole or args.write

    def run(path: Path) -> tuple[str, Sizes]:
        return run_notebook(path, whole, args.write, args.timeout)

    jobs = args.jobs or (1 if args.full else min(os.cpu_count() or 1, 4))
    with ThreadPoolExecutor(jobs) as pool: done = list(pool.map(run, paths))
    names = list(map(name_of, paths))
    faults = {name: fault for name, (fault, _) in zip(names, done) if fault}
    return faults, {name: size for name, (_, size) in zip(names, done)}


def main() -> int:
    "Run what the command line asks for"
    args = arguments()
    environment(args.full, args.write)
    paths = [find(name) for name in args.names] or notebooks()
    print(HEAD, flush=True)
    if args.sizes:
        print(sums(table(paths), None))
        return 0
    start = time.perf_counter()
    failed, found = run_all(paths, args)
    print(sums(found, time.perf_counter()-start))
    # once more at the end, where a long log is looked at first
    for name, fault in failed.items(): print(f'\n{name} {fault}\n')
    tests = 'with' if args.whole or args.write else 'without'
    print(f'{len(paths)-len(failed)} of {len(paths)} notebooks ran, {tests} their tests'
          + (f'; failed: {", ".join(failed)}' if failed else ''))
    return 1 if failed else 0


if __name__ == '__main__': sys.exit(main())
