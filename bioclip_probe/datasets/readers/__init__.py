"""Readers: pictures, tables, tars and vectors as they lie on disk; the datasets share them."""
