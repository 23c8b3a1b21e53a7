"""Making weights: stage 1 distils the encoder from a teacher, stage 2 trains the whole network on prompts."""

# the averaged weights that a run leaves in its folder
BEST, LAST = "best.safetensors", "last.safetensors"
