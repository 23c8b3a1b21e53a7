import sys
from pathlib import Path

# `interrupt` is a script
sys.path.insert(0, str(Path(__file__).parent))
