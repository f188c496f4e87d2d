"""Words that are added at run time: how many are found, what they cost."""
