"""Distillation losses: each compares a part of the student's prediction with one of the teacher's."""
