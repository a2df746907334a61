"""Attention: the course notebook rung by rung, exercise 1 as code, and what a trained GPT attends to."""
