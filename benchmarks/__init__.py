"""Measurements beside peers, one folder a subject, each run as a module from the checkout.

    python -m benchmarks.search --help            # first pass, beside kaldi-decoder
    python -m benchmarks.search.k2 --help         # and beside k2
    python -m benchmarks.search.graph --help      # building and opening decoding graphs
    python -m benchmarks.search.profile --help    # where the search's time goes
    python -m benchmarks.am --help                # networks beside torch
    python -m benchmarks.am.precision --help      # what int8 costs
    python -m benchmarks.am.tree --help           # growing large decision trees
    python -m benchmarks.lm --help                # estimation and queries, beside KenLM
    python -m benchmarks.lm.against_lmplz --help  # the same estimates as lmplz
    python -m benchmarks.lm.pruning --help        # cut-offs beside relative-entropy pruning
    python -m benchmarks.lm.scaling --help        # models of any size
    python -m benchmarks.alignment --help         # phone boundaries, beside flite's own
    python -m benchmarks.alignment.models --help  # models beside each other
    python -m benchmarks.alignment.tolerance --help
    python -m benchmarks.recognition --help       # beside Whisper tiny.en and pocketsphinx
    python -m benchmarks.recognition.beams --help
    python -m benchmarks.recognition.subtitles --help  # cue times in an hour of speech
    python -m benchmarks.recognition.units --help

Each prints a table, and with ``--json FILE`` writes its figures.
"""
