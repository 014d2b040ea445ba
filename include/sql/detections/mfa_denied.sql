/* ---
id: mfa_denied
title: User declined MFA several times
severity: medium
attack: [T1621]
streams: [sign_ins]
entity: user
why: >-
  Whoever declines a prompt did not ask for it: somebody else knows the password.
parameters:
  min_denials:
    type: integer
    default: 3
    minimum: 1
    description: How often the user must decline, or report fraud, on one day.
false_positives:
  - A user who pressed the wrong button, more than once. Prompts without an answer are no findings.
what_to_do:
  - Ask the user. If the prompts were not theirs, reset the password and revoke all sessions.
  - Look at mfa_fatigue, and switch number matching on.
--- */
SELECT
  coalesce(user_id, lower(user_principal_name)) AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  max(user_id) AS user_id,
  max(user_principal_name) AS user_principal_name,
  CASE WHEN min(ip_address) = max(ip_address) THEN max(ip_address) END AS ip_address,
  coalesce(max(user_principal_name), max(user_id)) || ' declined MFA '
    || CAST(count(*) AS varchar) || ' times' AS summary,
  json_format(CAST(slice(array_agg('sign_ins:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM sign_in_outcomes
WHERE dt = {{ day }}
  AND error_code = 500121
  AND (lower(additional_details) LIKE '%declined%' OR lower(additional_details) LIKE '%fraud%')
  AND coalesce(user_id, user_principal_name) IS NOT NULL
GROUP BY coalesce(user_id, lower(user_principal_name))
HAVING count(*) >= {{ min_denials }}
