"""What the documentation shows works as shown: code runs, commands parse, links lead somewhere, figures are fresh."""

import importlib
import inspect
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from napari_swin_litemedsam import predictor
from napari_swin_litemedsam.cli import build_parser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
RUNNABLE = ("tutorials/scripting.md", "contributing.md")
WITH_WINDOW = "scripting.md"  # run by tests/plugin/test_scripting.py
# public for other modules of the package, of no use to a reader
INTERNAL = {"label_dtype", "Features", "ImageFeatures", "PointLabel"}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


class BoxBackend:
    """Answers with the box itself, so that pages run without the network."""

    name = "boxes"
    batch = 8
    description = "boxes"

    def encode(self, pixels):
        return pixels[0]

    def decode(self, features, points, labels, boxes, scribbles):
        y, x = np.mgrid[:256, :256]
        inside = [(x >= x0) & (y >= y0) & (x <= x1) & (y <= y1) for x0, y0, x1, y1 in boxes]
        return np.where(inside, 5, -5).astype(np.float32), np.full(len(boxes), 0.9, np.float32)


@pytest.mark.parametrize("page", RUNNABLE)
def test_python_on_a_page_runs_from_top_to_bottom(page, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(predictor, "make_backend", lambda *_: BoxBackend())
    monkeypatch.setattr("napari_swin_litemedsam.backends.make_backend", lambda *_: BoxBackend())
    code = blocks(DOCS / page, "python")
    assert len(code) >= 3
    namespace = {"__name__": "page"}
    for block in code:
        exec(compile(block, page, "exec"), namespace)
    if page == "contributing.md":
        assert namespace["result"].mask.shape == (48, 64)
    else:
        assert "box alone  DSC" in capsys.readouterr().out
        with np.load("thigh.npz") as file:
            assert set(np.unique(file["segs"])) == {0, 1}


def test_pages_with_python_are_known_to_tests():
    # README pieces and signatures are no programs
    assert [p.relative_to(DOCS).as_posix() for p in PAGES if blocks(p, "python")] == sorted((*RUNNABLE, WITH_WINDOW))


def commands():
    for page in (*PAGES, ROOT / "README.md"):
        for block in blocks(page, "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("swin-litemedsam "):
                    yield pytest.param(line, id=f"{page.stem}: {line[:50]}")


@pytest.mark.parametrize("line", list(commands()))
def test_commands_on_pages_are_understood(line):
    args = build_parser().parse_args(shlex.split(line, comments=True)[1:])
    assert callable(args.run)


def test_scripts_that_pages_name_exist():
    named = {name for page in PAGES for name in re.findall(r"(?:benchmarks|scripts)/\w+\.(?:py|sh)", page.read_text())}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_samples_stand_where_pages_say():
    manifest = yaml.safe_load((ROOT / "src/napari_swin_litemedsam/napari.yaml").read_text(encoding="utf-8"))
    samples = {sample["display_name"] for sample in manifest["contributions"]["sample_data"]}
    menus = [menu for page in PAGES for menu in re.findall(r"File > Open Sample > ([^*]+)\*", page.read_text())]
    assert menus
    for menu in menus:
        plugin, sample = menu.split(" > ")
        assert plugin == manifest["display_name"]
        assert sample in samples


def test_links_between_pages_lead_somewhere():
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built with warnings as errors."""
    pytest.importorskip("mkdocstrings")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("package", ["", ".propagation", ".io", ".evaluation", ".backends", ".model"])
def test_the_reference_has_all_public_functions_and_classes(site, package):
    module = importlib.import_module(f"napari_swin_litemedsam{package}")
    page = (site / "reference" / "api.html").read_text(encoding="utf-8")
    told = {name.rpartition(".")[2] for name in re.findall(r'<h\d id="(napari_swin_litemedsam[^"]+)"', page)}
    public = {name for name in module.__all__ if inspect.isroutine(getattr(module, name)) or name[0].isupper()}
    public -= {name for name in public if name.isupper()}
    assert public - told <= INTERNAL


def test_the_site_needs_no_network(site):
    pages = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    assert len(pages) >= len(PAGES)
    loading = r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\S*//|<link\b(?=[^>]*stylesheet)[^>]*\bhref=\S*//"
    assert [page.name for page, text in pages.items() if re.search(loading, text)] == []
    # what would make the theme fetch mermaid
    assert [page.name for page, text in pages.items() if 'class="mermaid"' in text] == []
    # what the search of a site on the disk takes
    assert (site / "assets" / "iframe-worker.js").is_file()
    assert (site / "search" / "search_index.js").is_file()


@pytest.mark.parametrize("name", ["model", "flow"])
def test_figures_of_the_code_are_the_code(name):
    draw = runpy.run_path(str(ROOT / "scripts" / "draw_figures.py"))[name]
    assert (DOCS / "images" / f"{name}.svg").read_text(encoding="utf-8") == draw(), "run scripts/draw_figures.py"


def test_the_reference_of_commands_names_every_option():
    hooks = runpy.run_path(str(ROOT / "scripts" / "docs_hooks.py"))
    page = hooks["on_page_markdown"]("# Title\n<!-- generated: commands -->\n")
    assert page.startswith("# Title\n## predict\n")
    for option in ("`--overlay DIR`", "`--tolerance T`", "`--against OTHER`", "`--steps STEPS`"):
        assert option in page
    assert "(default: 10000)" in page
    assert "%(" not in page


def test_the_table_of_keys_comes_from_the_manifest(monkeypatch, tmp_path):
    hooks = runpy.run_path(str(ROOT / "scripts" / "docs_hooks.py"))
    package = tmp_path / "napari_swin_litemedsam"
    package.mkdir()
    (package / "napari.yaml").write_text(
        "contributions: {configurations: {shortcuts: {properties: {"
        "box: {title: New box, default: N, description: Draw.}, none: {title: No, default: '', description: x}}}}}"
    )
    hooks["keys"].__globals__["SOURCE"] = tmp_path
    assert hooks["keys"]().splitlines()[2:] == ["| `N` | New box | Draw. |"]
