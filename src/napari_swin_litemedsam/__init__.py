"""Swin-LiteMedSAM in napari: draw a box on a scan, get a mask."""
