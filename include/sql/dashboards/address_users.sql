-- Who signed in from one IP address, into what, how it ended, on which day first and last.
SELECT
  coalesce(user_principal_name, 'unknown') AS user_name,
  coalesce(app_display_name, 'unknown') AS application,
  count_if(outcome = 'success') AS successes,
  count_if(outcome = 'failure') AS failures,
  min(dt) AS first_day,
  max(dt) AS last_day
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
  AND ip_address = {{ address | literal }}
GROUP BY coalesce(user_principal_name, 'unknown'), coalesce(app_display_name, 'unknown')
ORDER BY successes DESC, failures DESC, user_name, application
LIMIT 100
