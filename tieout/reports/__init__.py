"""The print shop: rows in, files out. A workbook, a page, Parquet and a summary, all from the same rows; no queries of its own."""
