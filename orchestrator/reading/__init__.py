"""Files of other people's instruments: what they hold, and where they are wrong."""
