"""Subjects: protocols by which anybody's implementation stands under our laws."""
