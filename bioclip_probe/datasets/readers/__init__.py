"""Readers of the file formats that datasets share: pictures, tables, tars, Parquet files and ready vectors."""
