-- The stream as it is known today: the content of each record that was observed last.
CREATE OR REPLACE VIEW "{{ database }}"."{{ view }}" AS
SELECT
{%- for column in columns %}
  {{ column.name }},
{%- endfor %}
  dt
FROM "{{ database }}"."{{ table }}"
WHERE is_latest
