-- Why sign-ins did not succeed: the most frequent error codes.
SELECT
  error_code,
  outcome,
  min(coalesce(reason, failure_reason)) AS reason,
  count(*) AS sign_ins,
  count(DISTINCT user_principal_name) AS users
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
  AND outcome <> 'success'
{% if user is defined %}
  AND lower(user_principal_name) = lower({{ user | literal }})
{% endif %}
{% if application is defined %}
  AND app_display_name = {{ application | literal }}
{% endif %}
GROUP BY error_code, outcome
ORDER BY sign_ins DESC, error_code
LIMIT 50
