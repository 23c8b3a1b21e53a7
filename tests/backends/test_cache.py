import os

from napari_swin_litemedsam.backends.cache import read_cached, read_facts, write_cached


def test_what_was_written_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path / "new"))
    assert read_cached("file") is None
    assert read_facts("facts.json") == {}
    write_cached("file", b"content")
    assert read_cached("file") == b"content"
    for content, facts in ((b'{"a": 1}', {"a": 1}), (b"[]", {}), (b"\xff", {})):
        write_cached("facts.json", content)
        assert read_facts("facts.json") == facts


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path / "file" / "folder"))
    write_cached("file", b"content")
    assert read_cached("file") is None


def test_old_models_make_room(tmp_path, monkeypatch):
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path))
    for number in range(14):
        write_cached(f"{number}.blob", b"")
        os.utime(tmp_path / f"{number}.blob", (number, number))
    write_cached("last.blob", b"")
    kept = {path.stem for path in tmp_path.glob("*.blob")}
    assert len(kept) == 12
    assert "last" in kept
    assert "0" not in kept
