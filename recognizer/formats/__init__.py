"""Results in the forms that other programs read: text, JSON, TSV, SRT, WebVTT, CTM."""
