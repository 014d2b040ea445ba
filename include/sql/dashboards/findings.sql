-- What detections have found, the most urgent first.
SELECT
  dt AS day, severity, title, summary, user_principal_name, ip_address, event_count AS events,
  first_event_time, last_event_time, entity_type, entity, rule, first_found_at, last_found_at
FROM "{{ database }}".findings
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND lower({{ user | literal }}) IN (lower(user_principal_name), lower(entity))
{% endif %}
{% if address is defined %}
  AND {{ address | literal }} IN (ip_address, entity)
{% endif %}
ORDER BY CASE severity WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END, dt DESC, last_event_time DESC, title, entity
LIMIT 2000
