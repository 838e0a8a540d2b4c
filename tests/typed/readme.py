"The lines of the README: a test compares them with it, `make lint` checks their types."
from minifastai.all import *
data = get_databunch()
learn, run = get_learn_run([8, 16, 32, 64], data, lr=0.5, norm=RunningBatchNorm)
run.fit(1, learn)                        # a table with one line
preds, targs = run.get_preds(learn)      # (10000, 10) scores, and the right classes
print(accuracy(preds, targs))
