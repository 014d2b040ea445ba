-- From which addresses and countries one user signed in, on which day first and last.
SELECT
  ip_address,
  coalesce(country, 'unknown') AS country,
  min(city) AS city,
  count_if(outcome = 'success') AS successes,
  count_if(outcome = 'failure') AS failures,
  min(dt) AS first_day,
  max(dt) AS last_day
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is guid %}
  AND (lower(user_principal_name) = lower({{ user | literal }}) OR user_id = lower({{ user | literal }}))
{% else %}
  AND lower(user_principal_name) = lower({{ user | literal }})
{% endif %}
GROUP BY ip_address, coalesce(country, 'unknown')
ORDER BY last_day DESC, successes DESC, failures DESC, ip_address
LIMIT 100
