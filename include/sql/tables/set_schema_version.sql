-- Note which version of the code last shaped the table and its view.
ALTER TABLE `{{ database }}`.`{{ table }}` SET TBLPROPERTIES (
  'entra_lake.schema_version' = '{{ schema_version }}',
  'entra_lake.view_sha256' = '{{ view_sha256 }}'
)
