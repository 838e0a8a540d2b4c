"Loading all of MNIST takes little more memory than its tensors: measured in a process of its own."
import subprocess,sys
import pytest

SCRIPT = '''
from pathlib import Path
from minifastai.data import get_data,get_test_data
peak = lambda: 1024*int(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))
Path('/proc/self/clear_refs').write_text('5')       # the peak is counted from here
before = peak()
tensors = get_data()+get_test_data()
floats = sum(t.numel()*4 for t in tensors if t.is_floating_point())
print((peak()-before)/floats)
'''

@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='reads /proc')
def test_loading_takes_at_most_2_2_times_its_tensors():
    ratio = float(subprocess.run([sys.executable, '-c', SCRIPT], check=True, capture_output=True, text=True).stdout)
    assert 1<=ratio<=2.2, f'peak memory while loading was {ratio:.2f} times the float tensors'
