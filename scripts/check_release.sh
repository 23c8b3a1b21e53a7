#!/usr/bin/env bash
# Check what would be released: build wheel and sdist, look into them, install the wheel into an empty environment
# and use it there. Needs the tools of the group "dev" and, for the installation, some gigabytes; "--no-install"
# leaves that out.
set -euo pipefail
cd "$(dirname "$0")/.."
# a source tree on the path would pass for an installed package
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python -m build --outdir "$work/dist" .
python -m twine check --strict "$work"/dist/*
python -m check_wheel_contents "$work"/dist/*.whl
python scripts/check_archives.py "$work/dist"
if [ "${1:-}" = --no-install ]; then exit; fi

python -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet "$work"/dist/*.whl
cd "$work"  # not the source tree
export PATH="$work/env/bin:$PATH"
hash -r
python -m pip check
du -sh "$work/env" "$(python -c "import napari_swin_litemedsam as n; print(n.__path__[0])")"
npe2 validate napari-swin-litemedsam
swin-litemedsam --help >/dev/null
swin-litemedsam info
data=$(python -c "import napari_swin_litemedsam as n; print(n.__path__[0])")/plugin/data
swin-litemedsam predict "$data/skin_lesion.npz" -o "$work/masks" --overlay "$work/pictures"
swin-litemedsam evaluate "$work/masks" "$data/skin_lesion.npz" -o "$work/scores.csv" --html "$work/report.html"
# weights that were damaged on the way would still give masks
python -c "import csv; assert all(float(row['dsc']) > 0.9 for row in csv.DictReader(open('scores.csv')))"
echo "The release is in order."
