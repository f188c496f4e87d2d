"""Files of every kind: text, TOML options, Kaldi archives, mapped arrays, the console."""
