"""Level 1: features, HMM topology, phonetic decision tree, acoustic networks, priors, training."""
