"""The linear pass: sums over images from which every pair of them follows."""
