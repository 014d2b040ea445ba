-- Administrative changes: what was done in the directory, by how many, and how it ended.
SELECT
  trim(activity_display_name) AS activity,
  category,
  result,
  count(*) AS changes,
  count(DISTINCT coalesce(
    nullif(initiated_by_user_user_principal_name, ''), nullif(initiated_by_user_id, ''),
    nullif(initiated_by_app_display_name, ''), nullif(initiated_by_app_app_id, '')
  )) AS actors,
  max(event_time) AS last_at
FROM "{{ database }}".directory_audits
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND (
    lower(initiated_by_user_user_principal_name) = lower({{ user | literal }})
    OR any_match(target_resource_user_principal_names, name -> lower(name) = lower({{ user | literal }}))
  )
{% endif %}
GROUP BY trim(activity_display_name), category, result
ORDER BY changes DESC, activity, category, result
LIMIT 100
