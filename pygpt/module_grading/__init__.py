"""Ports of any module, graded by a recording of R's."""
