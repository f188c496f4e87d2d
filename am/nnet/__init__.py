"""Networks without torch: their options, their file, their inference, priors."""
