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


def test_models_used_least_lately_make_room(tmp_path, monkeypatch):
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path))
    halves = [f"{weights}-{backend}-{half}" for weights in range(3) for backend in "ab" for half in range(5)]
    for age, half in enumerate(halves):
        write_cached(f"{half}.blob", b"content")
        os.utime(tmp_path / f"{half}.blob", (age, age))
    assert len(list(tmp_path.glob("*.blob"))) == 3 * 2 * 5, "what was measured of three sets of weights"
    assert read_cached(f"{halves[0]}.blob") == b"content"
    write_cached("last.blob", b"content")
    kept = {path.stem for path in tmp_path.glob("*.blob")}
    assert kept == {*halves, "last"} - {halves[1]}


def test_what_may_only_be_read_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("SWIN_LITEMEDSAM_CACHE", str(tmp_path))
    write_cached("file", b"content")

    def refuse(*_):
        raise PermissionError("not the owner")

    monkeypatch.setattr(os, "utime", refuse)
    assert read_cached("file") == b"content"
