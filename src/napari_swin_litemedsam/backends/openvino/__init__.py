"""The network run by OpenVINO on the processor, without torch."""

from .backend import OpenVINOBackend, compile_half
from .decoder import prompt_half
from .encoder import image_half
from .layers import Layers

__all__ = ["Layers", "OpenVINOBackend", "compile_half", "image_half", "prompt_half"]
