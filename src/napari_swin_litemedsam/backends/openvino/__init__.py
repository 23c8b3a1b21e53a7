"""The network run by OpenVINO on the processor, without torch."""

from .backend import OpenVINOBackend
from .decoder import prompt_half
from .encoder import image_half
from .layers import Layers

__all__ = ["Layers", "OpenVINOBackend", "image_half", "prompt_half"]
