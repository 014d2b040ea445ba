-- Give an older table the columns that the stream has gained. Parquet is read by name: old days show NULL.
ALTER TABLE `{{ database }}`.`{{ table }}` ADD COLUMNS (
{%- for column in columns %}
  `{{ column.name }}` {{ column.type | hive_type }} COMMENT {{ column.description | comment }}{{ "" if loop.last else "," }}
{%- endfor %}
)
