-- Sign-ins by kind of client. Legacy authentication cannot ask for a second factor: each success there is a way around it.
SELECT
  coalesce(client_app_used, 'unknown') AS client,
  is_legacy_authentication,
  count_if(outcome = 'success') AS successes,
  count_if(outcome = 'failure') AS failures,
  count(DISTINCT user_principal_name) AS users
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND lower(user_principal_name) = lower({{ user | literal }})
{% endif %}
{% if application is defined %}
  AND app_display_name = {{ application | literal }}
{% endif %}
GROUP BY coalesce(client_app_used, 'unknown'), is_legacy_authentication
ORDER BY is_legacy_authentication DESC, successes DESC, client
LIMIT 50
