"""How films, plates and liquids behave: the hidden truth."""
