"""Scores of segmentations, as the challenge computes them."""

from .matching import Match, match_objects
from .metrics import dice, hausdorff95, surface_dice
from .scores import ObjectScore, modality_of, score_case, write_csv
from .statistics import Comparison, Summary, compare, mean_interval, summarise

__all__ = [
    "Comparison",
    "Match",
    "ObjectScore",
    "Summary",
    "compare",
    "dice",
    "hausdorff95",
    "match_objects",
    "mean_interval",
    "modality_of",
    "score_case",
    "summarise",
    "surface_dice",
    "write_csv",
]
