"""The raw data: documents of every run, from the station's journal into Tiled."""
