import sys
from types import ModuleType

import pytest


@pytest.mark.parametrize(("arguments", "screenshot"), [([], None), (["--screenshot", "a.png"], "a.png")])
def test_demo_is_run_with_its_options(command, monkeypatch, arguments, screenshot):
    calls = []
    module = ModuleType("demo")
    module.run_demo = lambda screenshot=None: calls.append(screenshot)
    # the demo itself, a window, is tested with the plugin
    monkeypatch.setitem(sys.modules, "napari_swin_litemedsam.plugin.demo", module)
    assert command("demo", *arguments)[0] == 0
    assert calls == [screenshot]
