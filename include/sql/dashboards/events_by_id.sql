-- Everything that belongs to one request or correlation id, over all streams.
SELECT DISTINCT
  event_time, stream, activity, outcome, user_principal_name, application, ip_address, country, detail, id, correlation_id
FROM "{{ database }}".user_timeline
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
  AND (id = {{ event_id | literal }} OR correlation_id = {{ event_id | literal }})
ORDER BY event_time, id
LIMIT 500
