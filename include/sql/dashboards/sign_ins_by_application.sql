-- Sign-ins by application: who uses what, and where it fails.
SELECT
  coalesce(app_display_name, app_id, 'unknown') AS application,
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
GROUP BY coalesce(app_display_name, app_id, 'unknown')
ORDER BY successes DESC, failures DESC, application
LIMIT 50
