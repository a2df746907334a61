"""The process that a submission runs in, what keeps it there, and how the grader talks with it."""
