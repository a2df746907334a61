"""What R torch does otherwise for the layers and functions that occur in a module, a recording or R code."""
