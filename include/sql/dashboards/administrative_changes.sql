-- Administrative changes: what was done in the directory, by whom most, and how it ended.
SELECT
  activity_display_name AS activity,
  category,
  result,
  count(DISTINCT id) AS changes,
  count(DISTINCT actor_id) AS actors,
  max(event_time) AS last_at
FROM "{{ database }}".audit_targets
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND (lower(actor_name) = lower({{ user | literal }}) OR lower(target_user_principal_name) = lower({{ user | literal }}))
{% endif %}
GROUP BY activity_display_name, category, result
ORDER BY changes DESC, activity, category, result
LIMIT 100
