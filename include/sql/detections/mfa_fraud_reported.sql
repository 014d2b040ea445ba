/* ---
id: mfa_fraud_reported
title: User reported a suspicious MFA request
severity: high
attack: [T1621]
streams: [directory_audits]
entity: user
why: >-
  A person says that somebody else signs in as them. Somebody knows their password.
false_positives:
  - A user who pressed the wrong button.
what_to_do:
  - Call the user. If they were not signing in, reset the password and revoke all sessions.
  - Look at where the sign-ins came from, and whether others were tried from there.
--- */
WITH reports AS (
  SELECT
    id,
    min(event_time) AS event_time,
    coalesce(
      max(CASE WHEN target_type = 'User' OR target_user_principal_name IS NOT NULL THEN target_id END),
      max(CASE WHEN actor_type = 'user' THEN actor_id END)
    ) AS reporter_id,
    coalesce(max(target_user_principal_name), max(CASE WHEN actor_type = 'user' THEN actor_name END)) AS reporter_name,
    max(actor_ip_address) AS actor_ip_address
  FROM audit_targets
  WHERE dt = {{ day }}
    AND (
      lower(activity_display_name) LIKE 'fraud reported%'
      OR lower(activity_display_name) IN ('suspicious activity reported', 'user reported suspicious activity')
    )
  GROUP BY id
)
SELECT
  coalesce(reporter_id, lower(reporter_name), 'unknown') AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  max(reporter_id) AS user_id,
  max(reporter_name) AS user_principal_name,
  CASE WHEN min(actor_ip_address) = max(actor_ip_address) THEN max(actor_ip_address) END AS ip_address,
  coalesce(max(reporter_name), max(reporter_id), 'Somebody') || ' reported an MFA request that was not theirs' AS summary,
  json_format(CAST(slice(array_agg('directory_audits:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM reports
GROUP BY coalesce(reporter_id, lower(reporter_name), 'unknown')
