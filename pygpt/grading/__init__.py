"""Grading students' ports of the course's R code: isolation, checks, rubric, reports."""
