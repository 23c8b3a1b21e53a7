import sys
from pathlib import Path

# `fuzz` and `damage` are a script and its parts
sys.path.insert(0, str(Path(__file__).parent))
