-- From which addresses and countries one user signed in, when first and when last.
SELECT
  ip_address,
  coalesce(country, 'unknown') AS country,
  min(city) AS city,
  count_if(outcome = 'success') AS successes,
  count_if(outcome = 'failure') AS failures,
  min(event_time) AS first_at,
  max(event_time) AS last_at
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
  AND (lower(user_principal_name) = lower({{ user | literal }}) OR user_id = {{ user | literal }})
GROUP BY ip_address, coalesce(country, 'unknown')
ORDER BY last_at DESC, ip_address
LIMIT 100
