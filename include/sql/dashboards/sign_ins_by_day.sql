-- Sign-ins a day by how they ended: success, interrupted (a step on the way) or failure.
SELECT
  dt AS day,
  outcome,
  count(*) AS sign_ins,
  count(DISTINCT user_principal_name) AS users
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND lower(user_principal_name) = lower({{ user | literal }})
{% endif %}
{% if address is defined %}
  AND ip_address = {{ address | literal }}
{% endif %}
{% if application is defined %}
  AND app_display_name = {{ application | literal }}
{% endif %}
GROUP BY dt, outcome
ORDER BY day, outcome
