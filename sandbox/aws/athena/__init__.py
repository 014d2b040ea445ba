"""Athena that runs: Hive DDL against Glue, SELECT through sqlglot on DuckDB over the Parquet files in S3."""
