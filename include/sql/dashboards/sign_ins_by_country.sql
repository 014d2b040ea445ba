-- Sign-ins by country: how many came in, how many did not, from how many addresses.
SELECT
  coalesce(country, 'unknown') AS country,
  count_if(outcome = 'success') AS successes,
  count_if(outcome = 'failure') AS failures,
  count(DISTINCT user_principal_name) AS users,
  count(DISTINCT ip_address) AS ip_addresses
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND lower(user_principal_name) = lower({{ user | literal }})
{% endif %}
{% if application is defined %}
  AND app_display_name = {{ application | literal }}
{% endif %}
GROUP BY coalesce(country, 'unknown')
ORDER BY successes DESC, failures DESC, country
LIMIT 50
