-- Conditional Access by policy: how often each policy decided what.
SELECT
  coalesce(policy_display_name, policy_id) AS policy,
  policy_result,
  count(*) AS sign_ins,
  count(DISTINCT user_principal_name) AS users
FROM "{{ database }}".conditional_access_results
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND lower(user_principal_name) = lower({{ user | literal }})
{% endif %}
{% if application is defined %}
  AND app_display_name = {{ application | literal }}
{% endif %}
GROUP BY coalesce(policy_display_name, policy_id), policy_result
ORDER BY policy, sign_ins DESC, policy_result
LIMIT 200
