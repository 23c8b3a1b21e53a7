"""Where the plugin keeps what it writes by itself."""

import os
from pathlib import Path

from platformdirs import user_data_path


def user_data() -> Path:
    """The user's data folder, or that of the variable ``SWIN_LITEMEDSAM_DATA``."""
    own = os.environ.get("SWIN_LITEMEDSAM_DATA")
    return Path(own) if own else user_data_path("napari-swin-litemedsam", appauthor=False)
