-- One user over all streams, newest first: sign-ins, what the user changed, what was done to the user.
SELECT
  event_time, stream, activity, outcome, user_role, application, ip_address, country, detail, id
FROM "{{ database }}".user_timeline
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is guid %}
  AND (lower(user_principal_name) = lower({{ user | literal }}) OR user_id = lower({{ user | literal }}))
{% else %}
  AND lower(user_principal_name) = lower({{ user | literal }})
{% endif %}
ORDER BY event_time DESC, id
LIMIT 500
