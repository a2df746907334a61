import subprocess
import sys

import pytest

FAULTS_A_STEP = """
import resource
import torch
from pygpt import corpus, training
from pygpt.memory import keep_freed_memory
from pygpt.settings import ModelSettings, TrainingSettings

KEEP
torch.set_num_threads(1)
settings = TrainingSettings()
windows = corpus.windows(torch.randint(1, 66, (5000,), dtype=torch.uint8), 64, "test")
steps = training.fit(training.start(ModelSettings(), settings), windows, windows, settings)
for _ in range(4):
    next(steps)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    next(steps)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 4)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="page faults of glibc's malloc are counted")
def test_freed_memory_is_used_again() -> None:
    program = FAULTS_A_STEP.replace("KEEP", "keep_freed_memory()")
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 2000  # 5,000 to 13,000 without
