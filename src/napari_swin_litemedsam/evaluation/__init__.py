"""Scores of segmentations, as the challenge computes them."""

from .metrics import dice, surface_dice
from .report import ObjectScore, Summary, modality_of, score_case, summarise, write_csv

__all__ = ["ObjectScore", "Summary", "dice", "modality_of", "score_case", "summarise", "surface_dice", "write_csv"]
