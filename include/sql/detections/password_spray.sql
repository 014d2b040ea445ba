/* ---
id: password_spray
title: Password spray
severity: medium
attack: [T1110.003]
streams: [sign_ins]
entity: ip_address
why: >-
  One address fails for many accounts: somebody tries a few common passwords on everybody, slowly enough that no account is
  locked. One weak password is enough.
parameters:
  min_users:
    type: integer
    default: 10
    minimum: 2
    description: For how many accounts an address must fail on one day. In a small tenant, about half of your accounts.
  trusted_networks:
    type: texts
    default: []
    description: How addresses of your own networks begin, such as `192.0.2.`; they are passed over.
false_positives:
  - A proxy or VPN whose users have trouble. Where many of an address's users get in, it is no finding.
what_to_do:
  - Look at spray_source_succeeded, and whether one of these accounts was signed in to from elsewhere since.
  - Block the address in a named location, and make sure that legacy authentication is blocked and MFA is asked for.
--- */
SELECT
  ip_address AS entity,
  min(CASE WHEN is_wrong THEN event_time END) AS first_event_time,
  max(CASE WHEN is_wrong THEN event_time END) AS last_event_time,
  count_if(is_wrong) AS event_count,
  CAST(NULL AS varchar) AS user_id,
  CAST(NULL AS varchar) AS user_principal_name,
  ip_address,
  ip_address || ' failed to sign in as ' || CAST(count(DISTINCT CASE WHEN is_wrong THEN account END) AS varchar)
    || ' accounts, and signed in as ' || CAST(count(DISTINCT CASE WHEN outcome = 'success' THEN account END) AS varchar)
    AS summary,
  json_format(CAST(
    slice(array_agg('sign_ins:' || id ORDER BY event_time, id) FILTER (WHERE is_wrong), 1, 20) AS json
  )) AS evidence_json
FROM (
  SELECT
    id,
    event_time,
    ip_address,
    outcome,
    coalesce(user_id, lower(user_principal_name)) AS account,
    -- Wrong password, locked out, expired, none set, no such user.
    coalesce(error_code IN (50126, 50053, 50055, 50056, 50034), FALSE) AS is_wrong
  FROM sign_in_outcomes
  WHERE dt = {{ day }}
    AND ip_address IS NOT NULL
    AND none_match({{ trusted_networks }}, network -> starts_with(lower(ip_address), network))
) AS s
GROUP BY ip_address
HAVING count(DISTINCT CASE WHEN is_wrong THEN account END) >= {{ min_users }}
  AND count(DISTINCT CASE WHEN outcome = 'success' THEN account END) * 2
    < count(DISTINCT CASE WHEN is_wrong THEN account END)
