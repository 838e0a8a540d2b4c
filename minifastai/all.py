"All public names of the lessons: `from minifastai.all import *`. Written by hand."
from minifastai.foundations import *
from minifastai.data import *
from minifastai.losses import *
from minifastai.runner import *
from minifastai.callbacks import *
from minifastai.schedule import *
from minifastai.cnn import *
from minifastai.hooks import *
from minifastai.activations import *
from minifastai.norms import *
from minifastai.checkpoint import *
from minifastai.distributed import *
from minifastai.optimizers import *
from minifastai.initialize import *
from minifastai.resnet import *
