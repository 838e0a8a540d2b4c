"Loading all of MNIST takes little more memory than its tensors."
import subprocess
import sys

import pytest

SCRIPT = '''
from pathlib import Path
from minifastai.data import get_data,get_test_data
def peak():
    lines = Path('/proc/self/status').read_text().splitlines()
    return 1024*int(next(line.split()[1] for line in lines if line.startswith('VmHWM')))
Path('/proc/self/clear_refs').write_text('5')       # the peak is counted from here
before = peak()
tensors = get_data()+get_test_data()
floats = sum(t.numel()*4 for t in tensors if t.is_floating_point())
print((peak()-before)/floats)
'''


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_loading_takes_at_most_2_2_times_its_tensors():
    done = subprocess.run([sys.executable, '-c', SCRIPT], check=True,
                          capture_output=True, text=True)
    ratio = float(done.stdout)
    assert 1 <= ratio <= 2.2, f'the peak was {ratio:.2f} times the float tensors'
