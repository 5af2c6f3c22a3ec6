"""Trainings and measurements behind the tables of the documentation."""
