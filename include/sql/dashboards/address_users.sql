-- Who signed in from one IP address, into what, and how it ended.
SELECT
  coalesce(user_principal_name, user_id, 'unknown') AS user_name,
  coalesce(app_display_name, app_id, 'unknown') AS application,
  count_if(outcome = 'success') AS successes,
  count_if(outcome = 'failure') AS failures,
  min(event_time) AS first_at,
  max(event_time) AS last_at
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
  AND ip_address = {{ address | literal }}
GROUP BY coalesce(user_principal_name, user_id, 'unknown'), coalesce(app_display_name, app_id, 'unknown')
ORDER BY successes DESC, failures DESC, user_name, application
LIMIT 100
