"""The far end of the cable: simulated instruments on one bench."""
