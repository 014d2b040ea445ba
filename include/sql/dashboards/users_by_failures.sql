-- Users whose sign-ins fail most, with the countries and addresses that they fail from.
SELECT
  coalesce(user_principal_name, 'unknown') AS user_name,
  count_if(outcome = 'failure') AS failures,
  count_if(outcome = 'success') AS successes,
  count(DISTINCT ip_address) AS ip_addresses,
  count(DISTINCT country) AS countries
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND lower(user_principal_name) = lower({{ user | literal }})
{% endif %}
{% if application is defined %}
  AND app_display_name = {{ application | literal }}
{% endif %}
GROUP BY coalesce(user_principal_name, 'unknown')
ORDER BY failures DESC, user_name
LIMIT 50
