-- Note in a table's properties what shaped it and its views last.
ALTER TABLE `{{ database }}`.`{{ table }}` SET TBLPROPERTIES (
{%- for name, value in properties.items() %}
  {{ name | text }} = {{ value | text }}{{ "" if loop.last else "," }}
{%- endfor %}
)
