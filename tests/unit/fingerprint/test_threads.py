"""Computing takes the one core that a worker has."""

import subprocess
import sys

MULTIPLY = """
import inspector.fingerprint, os, numpy
numpy.ones((500, 500)) @ numpy.ones((500, 500))
print(len(os.listdir("/proc/self/task")))
"""


def test_matrices_are_multiplied_by_the_thread_that_asks() -> None:
    ran = subprocess.run([sys.executable, "-c", MULTIPLY], capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"
