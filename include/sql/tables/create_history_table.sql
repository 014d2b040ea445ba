-- A table with one partition per day of the event: every version of every record of one stream, or all findings.
CREATE EXTERNAL TABLE IF NOT EXISTS `{{ database }}`.`{{ table }}` (
{%- for column in columns %}
  `{{ column.name }}` {{ column.type | hive_type }} COMMENT {{ column.description | comment }}{{ "" if loop.last else "," }}
{%- endfor %}
)
COMMENT {{ comment | comment }}
PARTITIONED BY (`dt` string COMMENT 'UTC date of the event, YYYY-MM-DD')
STORED AS PARQUET
LOCATION {{ location | text }}
TBLPROPERTIES (
  'entra_lake.schema_version' = '{{ schema_version }}',
  'classification' = 'parquet',
  'parquet.compression' = 'ZSTD'
)
