/* ---
id: break_glass_account_used
title: Break-glass account used
severity: high
attack: [T1078.004]
streams: [sign_ins]
entity: user
why: >-
  Break-glass accounts may do everything, are exempt from Conditional Access, and rest in a safe. Each attempt to use one
  is an emergency, a drill or an attack.
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
  - A drill, or an emergency that you know of.
what_to_do:
  - Ask those who have access to its password whether it was one of them.
  - If not, reset its password, revoke its sessions, and look at all that the account has changed.
--- */
SELECT
  coalesce(user_id, lower(user_principal_name)) AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  max(user_id) AS user_id,
  max(user_principal_name) AS user_principal_name,
  CASE WHEN min(ip_address) = max(ip_address) THEN max(ip_address) END AS ip_address,
  'The break-glass account ' || coalesce(max(user_principal_name), max(user_id))
    || CASE WHEN count_if(outcome = 'success') > 0 THEN ' signed in' ELSE ' was tried in vain' END
    || ' (attempts: ' || CAST(count(*) AS varchar)
    || ', successful: ' || CAST(count_if(outcome = 'success') AS varchar) || ')' AS summary,
  json_format(CAST(slice(array_agg('sign_ins:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM sign_in_outcomes
WHERE dt = {{ day }}
  AND coalesce(user_id, user_principal_name) IS NOT NULL
  AND (
    contains({{ break_glass_accounts }}, lower(coalesce(user_principal_name, '')))
    OR contains({{ break_glass_accounts }}, lower(coalesce(user_id, '')))
    OR any_match({{ break_glass_names }}, name -> starts_with(lower(coalesce(user_principal_name, '')), name))
  )
GROUP BY coalesce(user_id, lower(user_principal_name))
