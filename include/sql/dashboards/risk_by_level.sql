-- Risk as Microsoft judged it at the sign-in and where it stands now. Without a P2 licence Graph hides it.
SELECT
  coalesce(risk_level_during_sign_in, 'unknown') AS risk_during_sign_in,
  coalesce(risk_state, 'unknown') AS risk_state,
  count(*) AS sign_ins,
  count(DISTINCT user_principal_name) AS users
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND lower(user_principal_name) = lower({{ user | literal }})
{% endif %}
{% if application is defined %}
  AND app_display_name = {{ application | literal }}
{% endif %}
GROUP BY coalesce(risk_level_during_sign_in, 'unknown'), coalesce(risk_state, 'unknown')
ORDER BY sign_ins DESC, risk_during_sign_in, risk_state
LIMIT 50
