-- The records behind one finding, in the order of their events.
{% if 'sign_ins' in streams %}
SELECT
  event_time, 'Sign-in' AS activity, outcome, user_principal_name AS who, app_display_name AS what, ip_address, country,
  coalesce(reason, failure_reason, additional_details) AS detail, id
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }} AND id IN ({{ ids }})
{% endif %}
{% if 'sign_ins' in streams and 'directory_audits' in streams %}
UNION ALL
{% endif %}
{% if 'directory_audits' in streams %}
SELECT
  event_time, activity_display_name AS activity, result AS outcome, actor_name AS who,
  coalesce(target_user_principal_name, target_display_name, target_id) AS what, actor_ip_address AS ip_address,
  CAST(NULL AS varchar) AS country, result_reason AS detail, id
FROM "{{ database }}".audit_targets
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }} AND id IN ({{ ids }})
{% endif %}
ORDER BY event_time, id
LIMIT 200
