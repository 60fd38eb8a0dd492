"""Files in: labs, campaigns and recipes, read strictly into plain values."""
