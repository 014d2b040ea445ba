-- One IP address over all streams, newest first.
SELECT
  event_time, stream, activity, outcome, user_principal_name, application, country, detail, id
FROM "{{ database }}".ip_timeline
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
  AND ip_address = {{ address | literal }}
ORDER BY event_time DESC, id
LIMIT 500
