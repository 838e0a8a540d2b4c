"Execute the lessons from top to bottom in fresh kernels: `python tools/lessons.py [--full] [--write] [NAME ...]`"
import argparse,os,re,sys,time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

NBS = Path(__file__).resolve().parent.parent/'nbs'

def run_notebook(path, write, timeout):
    "Execute one notebook, report seconds or the cell that failed; the file changes only if all of it ran and `write` is set"
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError,CellTimeoutError,DeadKernelError
    nb = nbformat.read(path, as_version=4)
    nb.metadata.pop('widgets', None)
    at = {}
    client = NotebookClient(nb, timeout=timeout, kernel_name='python3', record_timing=False, coalesce_streams=True,
                            extra_arguments=['--IPKernelApp.log_level=40'], resources={'metadata': {'path': str(NBS)}},
                            on_cell_start=lambda cell, cell_index: at.update(cell=cell))
    start = time.perf_counter()
    try: client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as e:
        plain = re.sub(r'\x1b\[[0-9;]*m', '', str(e))
        print(f'{path.stem:20} FAILED in cell {at["cell"].id} of {path.name}\n{plain}', flush=True)
        return False
    print(f'{path.stem:20} {time.perf_counter()-start:6.1f} s', flush=True)
    if write:
        from widgets import keep_static
        keep_static(nb)
        partial = path.with_suffix('.ipynb.partial')
        nbformat.write(nb, partial)
        partial.replace(path)
    return True

def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('names', nargs='*', help='notebooks to run, such as 05b_data; all by default')
    parser.add_argument('--full', action='store_true', help='all seeds and epochs, as in the committed outputs; the quick form by default')
    parser.add_argument('--write', action='store_true', help='write the outputs into the notebooks')
    parser.add_argument('--jobs', type=int, help='so many notebooks at a time, each in a kernel of its own; by default one in the full form, whose timings should not be disturbed, and one for each core, but at most four, in the quick form')
    parser.add_argument('--timeout', type=int, default=1800, help='seconds one cell may take')
    args = parser.parse_args()
    if args.full: os.environ.pop('MINIFASTAI_QUICK', None)
    else: os.environ['MINIFASTAI_QUICK'] = '1'
    os.environ.setdefault('PYDEVD_DISABLE_FILE_VALIDATION', '1')
    os.environ.setdefault('OMP_NUM_THREADS', '1')   # two threads that fight over a busy core are slower than one
    paths = [NBS/f'{Path(name).stem}.ipynb' for name in args.names] or sorted(p for p in NBS.glob('*.ipynb') if p.name[0] not in '._')
    if missing := [p.name for p in paths if not p.exists()]: parser.error(f'no such notebook in nbs/: {", ".join(missing)}')
    start = time.perf_counter()
    with ThreadPoolExecutor(args.jobs or (1 if args.full else min(os.cpu_count() or 1, 4))) as pool:
        ran = list(pool.map(lambda p: run_notebook(p, args.write, args.timeout), paths))
    failed = [p.stem for p,ok in zip(paths, ran) if not ok]
    print(f'{"all":20} {time.perf_counter()-start:6.1f} s, {len(paths)-len(failed)} of {len(paths)} notebooks ran' + (f'; failed: {", ".join(failed)}' if failed else ''))
    return 1 if failed else 0

if __name__=='__main__': sys.exit(main())
