-- Conditional Access: what all policies together decided, and how those sign-ins ended.
SELECT
  coalesce(conditional_access_status, 'unknown') AS decision,
  count_if(outcome = 'success') AS successes,
  count_if(outcome = 'interrupted') AS interrupted,
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
GROUP BY coalesce(conditional_access_status, 'unknown')
ORDER BY successes DESC, failures DESC, decision
LIMIT 20
