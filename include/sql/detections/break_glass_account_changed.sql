/* ---
id: break_glass_account_changed
title: Break-glass account acted or was changed
severity: high
attack: [T1098]
streams: [directory_audits]
entity: user
why: >-
  These accounts rest in a safe. If one changes something, it is an emergency or an attack; if one is changed, it may not work
  in the next emergency, or work for somebody else.
parameters:
  break_glass_accounts:
    type: texts
    default: []
    description: Sign-in names and object ids of the break-glass accounts. Give both, as logs leave names out at times.
  break_glass_names:
    type: texts
    default: [break-glass, break_glass, breakglass, emergency-access, emergency_access, emergencyaccess]
    description: How sign-in names of break-glass accounts begin, for accounts that are not listed.
false_positives:
  - A drill, an emergency that you know of, or a password that is renewed as planned.
what_to_do:
  - Ask those who have access to its password whether it was one of them.
  - If not, take its roles away and disable it, and undo what it did. Create another one.
--- */
SELECT
  coalesce(user_id, lower(user_principal_name)) AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(DISTINCT id) AS event_count,
  max(user_id) AS user_id,
  max(user_principal_name) AS user_principal_name,
  CASE WHEN min(ip_address) = max(ip_address) THEN max(ip_address) END AS ip_address,
  'The break-glass account ' || coalesce(max(user_principal_name), max(user_id))
    || CASE WHEN count_if(user_role = 'actor') > 0
      THEN ' did: ' || array_join(
        array_agg(DISTINCT activity ORDER BY activity) FILTER (WHERE user_role = 'actor'), ', ') ELSE '' END
    || CASE WHEN count_if(user_role = 'actor') > 0 AND count_if(user_role = 'target') > 0 THEN ';' ELSE '' END
    || CASE WHEN count_if(user_role = 'target') > 0
      THEN ' was changed: ' || array_join(
        array_agg(DISTINCT activity ORDER BY activity) FILTER (WHERE user_role = 'target'), ', ') ELSE '' END AS summary,
  json_format(CAST(slice(array_sort(array_agg(DISTINCT 'directory_audits:' || id)), 1, 20) AS json)) AS evidence_json
FROM user_timeline
WHERE dt = {{ day }}
  AND stream = 'directory_audits'
  AND coalesce(user_id, user_principal_name) IS NOT NULL
  AND (
    contains({{ break_glass_accounts }}, lower(coalesce(user_principal_name, '')))
    OR contains({{ break_glass_accounts }}, lower(coalesce(user_id, '')))
    OR any_match({{ break_glass_names }}, name -> starts_with(lower(coalesce(user_principal_name, '')), name))
  )
GROUP BY coalesce(user_id, lower(user_principal_name))
