-- Users and applications whose name holds a text.
SELECT kind, name, count(*) AS sign_ins
FROM (
  SELECT 'user' AS kind, user_principal_name AS name
  FROM "{{ database }}".sign_in_outcomes
  WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
    AND (
      strpos(lower(user_principal_name), lower({{ text | literal }})) > 0
      OR strpos(lower(user_display_name), lower({{ text | literal }})) > 0
    )
  UNION ALL
  SELECT 'application' AS kind, app_display_name AS name
  FROM "{{ database }}".sign_in_outcomes
  WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
    AND strpos(lower(app_display_name), lower({{ text | literal }})) > 0
) AS found
GROUP BY kind, name
ORDER BY sign_ins DESC, kind, name
LIMIT 100
