"""Colour kernels: numpy and Numba only. Lab is CIE L*a*b*, D65, 2 degrees, float64 throughout."""
