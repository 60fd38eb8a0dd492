"""The mechanics behind the panels: motion, plungers, chucks; no bytes."""
