"""Language models beside KenLM's."""
