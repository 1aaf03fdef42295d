"""Verification of a results folder by another laboratory, in three depths: see `checking.verify`."""
