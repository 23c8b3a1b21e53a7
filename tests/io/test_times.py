import pytest

from napari_swin_litemedsam.io import CaseError
from napari_swin_litemedsam.io.times import NAME, read_times, write_times


def test_times_are_added_to_those_that_are_there(tmp_path):
    folder = tmp_path / "labels"
    write_times(folder, {"b": 2, "a,1": 1.23456})
    write_times(folder, {"b": 3, "c": 4})
    assert read_times(folder) == {"a,1": 1.235, "b": 3, "c": 4}
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_times_of_windows_programs_are_read(tmp_path):
    (tmp_path / NAME).write_text("case,seconds\na,1\n", encoding="utf-8-sig")
    assert read_times(tmp_path) == {"a": 1}


def test_no_file_means_no_times(tmp_path):
    assert read_times(tmp_path / "none") == {}


@pytest.mark.parametrize(
    "text",
    [
        "case,time\na,1\n",
        "case,seconds\na,soon\n",
        "case,seconds\na,nan\n",
        "case,seconds\na,-1\n",
        "case,seconds\na\n",
    ],
)
def test_damaged_times_are_told_and_kept(tmp_path, text):
    (tmp_path / NAME).write_text(text)
    with pytest.raises(CaseError, match=NAME):
        write_times(tmp_path, {"b": 1})
    assert (tmp_path / NAME).read_text() == text


def test_bytes_that_are_no_text_are_told(tmp_path):
    (tmp_path / NAME).write_bytes("case,seconds\na,1\n".encode("utf-16"))
    with pytest.raises(CaseError, match=NAME):
        read_times(tmp_path)


def test_names_of_files_may_be_no_text(tmp_path):
    name = "caf\udce9"
    write_times(tmp_path, {name: 1})
    write_times(tmp_path, {"b": 2})
    assert read_times(tmp_path) == {name: 1, "b": 2}
    assert b"caf\xe9,1.000" in (tmp_path / NAME).read_bytes()
