SELECT {{casts}} FROM read_parquet({{path}})
