"""Recipes: stages from corpora and text to a model directory."""
