"""The network, in torch alone."""

from .checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from .mask_decoder import ImageFeatures
from .network import SwinLiteMedSAM
from .prompt_encoder import PointLabel

__all__ = ["CheckpointError", "ImageFeatures", "PointLabel", "SwinLiteMedSAM", "load_checkpoint", "save_checkpoint"]
