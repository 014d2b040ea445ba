-- How often each detection has found something, the most urgent first.
SELECT severity, title, count(*) AS findings, max(dt) AS newest, rule
FROM "{{ database }}".findings
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND lower({{ user | literal }}) IN (lower(user_principal_name), lower(entity))
{% endif %}
GROUP BY severity, title, rule
ORDER BY CASE severity WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END, count(*) DESC, title
LIMIT 100
