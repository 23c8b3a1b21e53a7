"""What the user is told: in the panel always, as a napari notification if something is wrong."""

from napari.utils.notifications import show_error, show_warning
from qtpy.QtWidgets import QLabel


class Messages:
    """Tells the user what goes on.

    Parameters
    ----------
    status : QLabel
        Shows the last message.
    """

    def __init__(self, status: QLabel):
        self._status = status

    def say(self, message: str) -> None:
        """Tell of something that is as it should be."""
        self._status.setText(message)

    def warn(self, message: str) -> None:
        """Tell of something that the user should change."""
        self.say(message)
        show_warning(message)

    def fail(self, what: str, error: Exception) -> None:
        """Tell of an error."""
        # a ValueError tells of bad input in words for the user; anything else names itself
        if isinstance(error, ValueError):
            self.warn(f"{what}: {error}")
            return
        message = f"{what}: {type(error).__name__}: {error}"
        self.say(message)
        show_error(message)
