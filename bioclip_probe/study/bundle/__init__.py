"""The files of a results folder that another laboratory needs beside the tables: see `registry`."""
