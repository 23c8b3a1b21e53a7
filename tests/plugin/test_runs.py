"""What runs in the one worker, as a user sees it end."""

import pytest

from napari_swin_litemedsam.plugin.session import Session

from .conftest import BOX, axial


@pytest.fixture
def widget(volume, open_widget, settle, draw):
    widget = open_widget()
    draw(widget, BOX, axial(2))
    settle(widget)
    return widget


def test_a_propagation_that_cannot_begin_ends_and_may_be_tried_again(widget, settle, warnings_shown, monkeypatch):
    def fail(*_):
        raise RuntimeError("no way through")

    with monkeypatch.context() as broken:
        broken.setattr(Session, "carry", fail)
        widget.panel.buttons["propagate"].click()
        settle(widget)
    assert "Propagation: RuntimeError: no way through" in warnings_shown[-1].message
    assert widget.panel.progress.isHidden()
    assert not widget.panel.buttons["cancel"].isEnabled()
    widget.panel.buttons["propagate"].click()
    settle(widget)
    assert widget._work.layers.masks.data.any(axis=(1, 2)).all()
