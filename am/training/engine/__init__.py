"""What every way of training shares: data, batches, a learner, checkpoints, the log."""
