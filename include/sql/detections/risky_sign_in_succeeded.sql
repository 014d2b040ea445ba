/* ---
id: risky_sign_in_succeeded
title: Risky sign-in succeeded
severity: high
attack: [T1078.004, T1550.001]
streams: [sign_ins]
entity: user
why: >-
  Microsoft's detectors are sure that it was not the user, or see a stolen token, and still the sign-in got through. Needs a
  P2 licence; without it there are no findings. Risk is often filled in later, so a day may get findings days after.
parameters:
  risk_levels:
    type: texts
    default: [high]
    description: Levels that are findings, at the sign-in or all in all; `medium` brings more, and more that is harmless.
  risk_events:
    type: texts
    default:
      - anomaloustoken
      - attackerinthemiddle
      - leakedcredentials
      - maliciousipaddressvalidcredentialsblockedip
      - nationstateip
      - tokenissueranomaly
    description: Kinds of risk that are findings at every level.
false_positives:
  - A journey or a new VPN. What an administrator or Microsoft has dismissed, and what the user has remedied, are no findings.
what_to_do:
  - Ask the user. If it was not them, confirm the user as compromised, revoke all sessions, reset the password.
  - Let Conditional Access block high risk.
--- */
SELECT
  coalesce(user_id, lower(user_principal_name)) AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  max(user_id) AS user_id,
  max(user_principal_name) AS user_principal_name,
  CASE WHEN min(ip_address) = max(ip_address) THEN max(ip_address) END AS ip_address,
  coalesce(max(user_principal_name), max(user_id)) || ' signed in at risk'
    || coalesce(' (' || nullif(array_join(array_sort(array_distinct(flatten(
      array_agg(risk_event_types) FILTER (WHERE risk_event_types IS NOT NULL)
    ))), ', '), '') || ')', '')
    || CASE WHEN min(ip_address) = max(ip_address) THEN ' from ' || max(ip_address) ELSE '' END AS summary,
  json_format(CAST(slice(array_agg('sign_ins:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM sign_in_outcomes
WHERE dt = {{ day }}
  AND outcome = 'success'
  AND coalesce(user_id, user_principal_name) IS NOT NULL
  AND coalesce(risk_state, '') NOT IN ('dismissed', 'confirmedSafe', 'remediated')
  AND (
    contains({{ risk_levels }}, lower(coalesce(risk_level_during_sign_in, '')))
    OR contains({{ risk_levels }}, lower(coalesce(risk_level_aggregated, '')))
    OR risk_state = 'confirmedCompromised'
    OR coalesce(any_match(risk_event_types, kind -> contains({{ risk_events }}, lower(kind))), FALSE)
  )
GROUP BY coalesce(user_id, lower(user_principal_name))
