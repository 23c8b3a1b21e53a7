"""Keys for the plugin's actions, as the user has set them in napari's preferences."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app_model.backends.qt import QKeyBindingSequence
from app_model.types import KeyCode
from napari.settings import get_plugin_settings
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QShortcut, QWidget

from .actions import ACTIONS

if TYPE_CHECKING:
    import napari

_PLUGIN = "napari-swin-litemedsam"


class Keys:
    """Binds keys to actions in a viewer, its layers and the panel for as long as the widget is open.

    Parameters
    ----------
    do : callable
        Gets the name of an action.
    warn : callable
        Gets messages for the user.
    changed : callable
        Called after the user has set other keys.
    panel : QWidget
        Whatever in it has the focus, as the table after a click, the keys work; except for what takes letters itself.
    """

    def __init__(
        self, do: Callable[[str], None], warn: Callable[[str], None], changed: Callable[[], None], panel: QWidget
    ):
        self._do, self._warn, self._changed, self._panel = do, warn, changed, panel
        self._bound: list[tuple[Any, str, Any]] = []  # where, key, and what it did before
        self._shortcuts: list[QShortcut] = []
        self._settings = _settings()
        if self._settings is not None:
            self._settings.events.connect(self._set_anew)
        self._bind_panel()

    @property
    def by_action(self) -> dict[str, str]:
        """The key of each action that has one."""
        keys = {name: getattr(self._settings, name, action.key).strip() for name, action in ACTIONS.items()}
        return {name: key for name, key in keys.items() if key}

    def bind(self, target: "napari.Viewer | napari.layers.Layer") -> None:
        """Let the keys work in a viewer or a layer; a layer's own keys come before the viewer's."""
        if any(bound is target for bound, _, _ in self._bound):
            return
        for name, key in self.by_action.items():
            if _is_key(key):
                before = target.bind_key(key, lambda _, name=name: self._do(name), overwrite=True)
                self._bound.append((target, key, before))

    def _bind_panel(self) -> None:
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        # of actions with the same key the last has it, as in the viewer
        names = {coerce_keybinding(key): name for name, key in self.by_action.items() if _is_key(key)}
        self._shortcuts = [self._shortcut(QKeyBindingSequence(key), name) for key, name in names.items()]

    def _shortcut(self, key: QKeyBindingSequence, name: str) -> QShortcut:
        shortcut = QShortcut(key, self._panel)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(lambda: self._do(name))
        return shortcut

    def release(self, target: Any = None) -> None:
        """Give keys back to what they did before, of one viewer or layer or of all."""
        kept = []
        for bound in reversed(self._bound):
            where, key, before = bound
            if target is None or where is target:
                where.bind_key(key, before, overwrite=True)
            else:
                kept.append(bound)
        self._bound = kept[::-1]

    def close(self) -> None:
        """Let go of everything."""
        if self._settings is not None:
            self._settings.events.disconnect(self._set_anew)
        self.release()

    def _set_anew(self, event: Any = None) -> None:
        targets = list({id(target): target for target, _, _ in self._bound}.values())
        self.release()
        for target in targets:
            self.bind(target)
        self._bind_panel()
        for name, key in self.by_action.items():
            if not _is_key(key):
                self._warn(f"There is no key '{key}', so {ACTIONS[name].text} has none. An example of a key: Shift-N.")
        self._changed()


def _settings() -> Any:
    """The keys in napari's preferences; None if napari does not know the plugin, as in a script."""
    try:
        return get_plugin_settings(_PLUGIN).shortcuts
    except KeyError:
        return None


def _is_key(text: str) -> bool:
    try:
        binding = coerce_keybinding(text)
    except ValueError:
        return False
    return len(binding.parts) == 1 and binding.parts[0].key != KeyCode.UNKNOWN
