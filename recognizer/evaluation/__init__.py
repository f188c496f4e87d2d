"""Word error rates, evaluation on corpora, tuning and calibration."""
