"""Language models beside KenLM's: see lm_measurements.py, which this starts.

python benchmarks/lm.py TEXT [--order N] [--lines N] [--memory 4G] [--estimate-only]
    [--json FILE]
"""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    # Python looks for modules beside the script first and would take this one for the package lm.
    sys.path[0] = str(here.parent)
    runpy.run_path(str(here / "lm_measurements.py"), run_name="__main__")
