/* ---
id: password_only_sign_in
title: Sign-in by a script with a password
severity: medium
attack: [T1078.004]
streams: [sign_ins]
entity: user
why: >-
  The client sent name and password itself (resource owner password credentials), so nobody could be asked for MFA. Tools that
  try stolen passwords do it this way. It is told by the user agent `BAV2ROPC`; clients that send another are not seen.
look_back: 14
parameters:
  legacy_accounts:
    type: texts
    default: []
    description: Sign-in names and object ids that need it, such as those of scanners.
false_positives:
  - A script, an old mail program or a test. What an account did from the same address in the 14 days before is no finding again.
what_to_do:
  - Ask the user whether they use such a program. If not, reset the password.
  - Ask for MFA by Conditional Access; it stops this kind of sign-in.
--- */
WITH sign_ins_made AS (
  SELECT
    id,
    event_time,
    dt,
    coalesce(user_id, lower(user_principal_name)) AS account,
    user_id,
    user_principal_name,
    ip_address,
    app_display_name
  FROM sign_in_outcomes
  WHERE dt BETWEEN {{ first_day }} AND {{ day }}
    AND outcome = 'success'
    AND user_agent LIKE '%BAV2ROPC%'
    AND coalesce(user_id, user_principal_name) IS NOT NULL
    AND NOT contains({{ legacy_accounts }}, lower(coalesce(user_principal_name, '')))
    AND NOT contains({{ legacy_accounts }}, lower(coalesce(user_id, '')))
),
known AS (
  SELECT DISTINCT account, ip_address FROM sign_ins_made WHERE dt < {{ day }} AND ip_address IS NOT NULL
)
SELECT
  m.account AS entity,
  min(m.event_time) AS first_event_time,
  max(m.event_time) AS last_event_time,
  count(*) AS event_count,
  max(m.user_id) AS user_id,
  max(m.user_principal_name) AS user_principal_name,
  CASE WHEN min(m.ip_address) = max(m.ip_address) THEN max(m.ip_address) END AS ip_address,
  coalesce(max(m.user_principal_name), max(m.user_id)) || ' signed in by a script with a password'
    || coalesce(' to ' || nullif(array_join(
      array_agg(DISTINCT m.app_display_name ORDER BY m.app_display_name) FILTER (WHERE m.app_display_name IS NOT NULL), ', '
    ), ''), '') || CASE WHEN min(m.ip_address) = max(m.ip_address) THEN ' from ' || max(m.ip_address) ELSE '' END AS summary,
  json_format(CAST(slice(array_agg('sign_ins:' || m.id ORDER BY m.event_time, m.id), 1, 20) AS json)) AS evidence_json
FROM sign_ins_made AS m
LEFT JOIN known AS k ON k.account = m.account AND k.ip_address = m.ip_address
WHERE m.dt = {{ day }} AND k.account IS NULL
GROUP BY m.account
