"""Swin-LiteMedSAM as published (arXiv 2409.07172), split where its cost splits."""

from torch import Tensor, nn

from .image_encoder import ImageEncoder
from .mask_decoder import ImageFeatures, MaskDecoder
from .prompt_encoder import PromptEncoder


class SwinLiteMedSAM(nn.Module):
    """Image encoder, prompt encoder and mask decoder.

    `encode_image` does all that depends on the image alone; `decode` may then be called for any number of
    prompts. Coordinates are (x, y) in pixels of the input frame (256x256 as published; any multiple of 64
    works).
    """

    def __init__(self):
        super().__init__()
        self.image_encoder = ImageEncoder()
        self.prompt_encoder = PromptEncoder()
        self.mask_decoder = MaskDecoder()

    def encode_image(self, image: Tensor) -> ImageFeatures:
        """Encode ``(B, 3, H, W)`` images in 0..1; H and W are multiples of 64."""
        height, width = image.shape[-2:]
        if height % 64 or width % 64:
            raise ValueError(f"the input must be a multiple of 64 on each side, not {height}x{width}")
        return self.mask_decoder.image_half(*self.image_encoder(image))

    def decode(
        self,
        features: ImageFeatures,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
        scribbles: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Predict masks for N prompts on B images, N a multiple of B and ordered by image.

        Parameters
        ----------
        features : ImageFeatures
            From `encode_image`.
        points, labels, boxes, scribbles : Tensor, optional
            As `PromptEncoder.forward` takes them.

        Returns
        -------
        logits : Tensor
            ``(N, H, W)``.
        iou : Tensor
            ``(N,)``.
        """
        grid = features.embedding.shape[-2:]
        tokens, dense, mask = self.prompt_encoder(tuple(grid), points, labels, boxes, scribbles)
        images, prompts = len(features.embedding), len(tokens)
        if images > 1 and prompts != images:
            features = ImageFeatures(*(x.repeat_interleave(prompts // images, dim=0) for x in features))
        return self.mask_decoder(features, self.prompt_encoder.grid_position(*grid), tokens, dense, mask)
