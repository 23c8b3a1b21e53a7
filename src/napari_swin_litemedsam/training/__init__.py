"""Making weights: stage 1 distils the encoder from a teacher, stage 2 trains the whole network on prompts."""

# the averaged weights that a run leaves in its folder, and its losses and scores
BEST, LAST, LOG = "best.safetensors", "last.safetensors", "log.csv"
