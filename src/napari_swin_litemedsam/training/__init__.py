"""Making weights: stage 1 distils the encoder from a teacher, stage 2 trains the whole network on prompts."""
