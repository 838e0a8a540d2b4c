"""An epoch of the lesson's CNN on MNIST, batches of 512, validation included: time with and without start-up, and memory

Every run is a process of its own, so that start-up and peak memory are its own. Candidates take turns."""
import json,os,resource,subprocess,sys,time
from statistics import median
from common import arguments,finish,report,silence,take_turns

BARE,OURS,OPTIONS = 'bare loop','minifastai','minifastai, channels-last and compiled'

def peak(reset=False):
    "MiB that this process has held at most, on Linux since the last `reset`"
    if not os.path.exists('/proc/self/clear_refs'): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024
    if reset:
        with open('/proc/self/clear_refs', 'w') as f: f.write('5')
    with open('/proc/self/status') as f: return next(int(line.split()[1])/1024 for line in f if line.startswith('VmHWM'))

def bare(model, opt, data, epochs):
    "In-memory tensors, cut by hand; loss and accuracy on the validation set"
    import torch,torch.nn.functional as F
    (x,y),(xv,yv),bs = (data.train_ds.x,data.train_ds.y),(data.valid_ds.x,data.valid_ds.y),512
    def work():
        for _ in range(epochs):
            model.train()
            order = torch.randperm(len(x))
            for i in range(0, len(x), bs):
                idx = order[i:i+bs]
                loss = F.cross_entropy(model(x[idx]), y[idx])
                loss.backward(); opt.step(); opt.zero_grad()
            model.eval()
            with torch.no_grad():
                preds = [model(xv[i:i+2*bs]) for i in range(0, len(xv), 2*bs)]
                F.cross_entropy(torch.cat(preds), yv),(torch.cat(preds).argmax(1)==yv).float().mean()
    return work

def child(name, epochs, images):
    "One run: prints what was measured as JSON"
    start = time.perf_counter()-time.process_time()      # about when the process began, imports of torch not yet counted
    import torch
    from torch import nn
    torch.set_num_threads(1); torch.manual_seed(42)
    from minifastai.cnn import get_cnn_model,get_runner
    from minifastai.data import DataBunch,Dataset,get_databunch,get_dls
    data = get_databunch(512)
    if images: data = DataBunch(*get_dls(Dataset(*data.train_ds[:images]), Dataset(*data.valid_ds[:images]), 512), data.c)
    def training(epochs):
        model = get_cnn_model(data, [8, 16, 32, 64], norm=nn.BatchNorm2d)
        if name in (OURS, OPTIONS):
            from minifastai.callbacks import AvgStatsCallback,ProgressCallback,Recorder,accuracy
            options = {'channels_last': True, 'compile': True} if name==OPTIONS else {}
            learn,run = get_runner(model, data, lr=0.4, cbs=[Recorder, AvgStatsCallback(accuracy), ProgressCallback], **options)
            return lambda n: run.fit(n, learn)
        opt = torch.optim.SGD(model.parameters(), lr=0.4)
        if name==BARE: return lambda n: bare(model, opt, data, n)()
        from peers import PEERS
        return lambda n: PEERS[name](model, opt, data, epochs=n, lr=0.4)()
    with silence():
        train = training(epochs)
        peak(reset=True)                                 # loading the data takes more than training on it: not what is asked here
        train(1)
        first = time.perf_counter()-start
        begun = time.process_time()
        train(epochs)
        steady = (time.process_time()-begun)/epochs
    sys.__stdout__.write(json.dumps({'first': first, 'steady': steady, 'peak': peak()})+'\n')

def measured(name, epochs, found, images=0):
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'TORCHINDUCTOR_FORCE_DISABLE_CACHES': '1'}
    done = subprocess.run([sys.executable, __file__, '--child', name, '--n', str(epochs), '--images', str(images)], capture_output=True, text=True, env=env, timeout=900)
    if done.returncode: raise RuntimeError(f'{name}\n{done.stderr[-3000:]}')
    found[name].append(json.loads(done.stdout.strip().splitlines()[-1]))
    return found[name][-1]['steady']

def growth(rounds=3, images=2_000, bar=10):
    "Does a training of ten epochs take more memory at its peak than one of two? Beside the bare loop, whose peak moves too: the allocator settles in the first epochs"
    def peak_of(name, epochs):
        box = {name: []}
        measured(name, epochs-1, box, images)       # and one epoch before, the start
        return box[name][0]['peak']
    peaks = take_turns({f'{name}, {words} epochs': (lambda name=name, n=n: peak_of(name, n)) for name in (BARE, OURS) for words,n in (('two', 2), ('ten', 10))}, rounds)
    report(f'Ten epochs take no more memory than two: peak, {images:,} images', peaks, 'MiB', 1, digits=0)
    grown = {name: median(ten-two for two,ten in zip(peaks[f'{name}, two epochs'], peaks[f'{name}, ten epochs'])) for name in (BARE, OURS)}
    more = grown[OURS]-grown[BARE]
    print(f'\nFrom two epochs to ten (medians of the rounds) the peak of the bare loop grows by {grown[BARE]:+.0f} MiB, that of minifastai by {grown[OURS]:+.0f}: {more:+.0f} beside it, ≤ +{bar}: {"met" if more<=bar else "missed"}.')
    return [('growth from two epochs to ten', more, bar)] if more>bar else []

def main():
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument('--child'); parser.add_argument('--n', type=int, default=1); parser.add_argument('--images', type=int, default=0)
    args = parser.parse_args()
    if args.child: return child(args.child, args.n, args.images)
    names = [BARE, OURS] if args.quick else [BARE, OURS, OPTIONS, 'ignite', 'skorch', 'Lightning', 'fastai']
    rounds,images,found = 1 if args.quick else 2,5_000 if args.quick else 50_000,{name: [] for name in names}
    print(f'\n## The epoch\n\nThe CNN of lesson 06a, [8, 16, 32, 64] filters with nn.BatchNorm2d, MNIST ({images:,} and {min(images, 10_000):,} images), batches of 512, one thread, {"one round" if args.quick else "two rounds, and a third of those that have a bar,"} in turns, each run a process of its own.')
    runs = {name: (lambda name=name: measured(name, 1, found, images)) for name in names}
    steady = take_turns(runs, rounds)
    if not args.quick:
        for name,times in take_turns({name: runs[name] for name in (BARE, OURS, OPTIONS)}, 1).items(): steady[name] += times
    late = report('An epoch, start-up excluded: processor time', steady, 'seconds', 1, {OURS: (1.03, 'ratio'), OPTIONS: (0.70, 'ratio')}, digits=2)
    report('Start-up and the first epoch: imports, data, compilation; by the clock', {name: [f['first'] for f in found[name]] for name in names}, 'seconds', 1, digits=2)
    late += report('Peak memory of the process', {name: [f['peak'] for f in found[name]] for name in names}, 'MiB', 1, {OURS: (50, 'more')}, digits=0)
    if not args.quick: late += growth()
    finish(late, args.quick)

if __name__=='__main__': main()
