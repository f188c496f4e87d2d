"""Context-dependent states: the tree, its statistics and how it is grown."""

from __future__ import annotations

from am.decision_tree import Leaf, Split, Tree, monophone_tree

__all__ = ["Leaf", "Split", "Tree", "monophone_tree"]
