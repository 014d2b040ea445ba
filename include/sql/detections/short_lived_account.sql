/* ---
id: short_lived_account
title: Account created and deleted within a day
severity: medium
attack: [T1136.003, T1070]
streams: [directory_audits]
entity: user
why: >-
  Nobody needs an account for a few hours, save somebody who does not want to be seen.
look_back: 1
parameters:
  max_hours:
    type: integer
    default: 24
    minimum: 1
    maximum: 24
    description: How long the account may have lived.
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that create accounts for a few hours, such as a test.
false_positives:
  - A typing error in a new account, or a test.
what_to_do:
  - Look at what the account did. Deleted users can be restored for 30 days.
  - Ask those who created and deleted it.
--- */
WITH created AS (
  SELECT
    target_id,
    min(event_time) AS event_time,
    min_by(id, event_time) AS id,
    min_by(actor_name, event_time) AS actor_name,
    max(coalesce(target_user_principal_name, target_display_name)) AS name
  FROM audit_targets
  WHERE dt BETWEEN {{ first_day }} AND {{ day }}
    AND result = 'success'
    AND lower(activity_display_name) = 'add user'
    AND target_id IS NOT NULL
    AND NOT contains({{ trusted_actors }}, lower(coalesce(actor_name, '')))
  GROUP BY target_id
),
deleted AS (
  SELECT
    target_id,
    max(event_time) AS event_time,
    max_by(id, event_time) AS id,
    max_by(actor_type, event_time) AS actor_type,
    max_by(actor_id, event_time) AS actor_id,
    max_by(actor_name, event_time) AS actor_name,
    max_by(actor_ip_address, event_time) AS actor_ip_address
  FROM audit_targets
  WHERE dt = {{ day }}
    AND result = 'success'
    AND lower(activity_display_name) = 'delete user'
    AND target_id IS NOT NULL
  GROUP BY target_id
)
SELECT
  d.target_id AS entity,
  c.event_time AS first_event_time,
  d.event_time AS last_event_time,
  CAST(2 AS bigint) AS event_count,
  CASE WHEN d.actor_type = 'user' THEN d.actor_id END AS user_id,
  CASE WHEN d.actor_type = 'user' THEN d.actor_name END AS user_principal_name,
  d.actor_ip_address AS ip_address,
  coalesce(c.actor_name, 'Somebody') || ' created the user ' || coalesce(c.name, d.target_id) || ', and '
    || coalesce(d.actor_name, 'somebody') || ' deleted it '
    || CAST(date_diff('minute', c.event_time, d.event_time) AS varchar) || ' minutes later' AS summary,
  json_format(CAST(ARRAY['directory_audits:' || c.id, 'directory_audits:' || d.id] AS json)) AS evidence_json
FROM deleted AS d
JOIN created AS c ON c.target_id = d.target_id
WHERE d.event_time >= c.event_time
  AND date_diff('millisecond', c.event_time, d.event_time) <= {{ max_hours }} * 3600000
