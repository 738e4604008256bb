"""QuickCheck for chaos: generated fault sequences, shrunk to the shortest failing story."""

__version__ = "0.1.0"
