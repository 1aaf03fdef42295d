"""The linear pass: sums over images from which the sums over all their pairs follow."""
