/* ---
id: access_elevated
title: Administrator took over all Azure subscriptions
severity: high
attack: [T1098.003]
streams: [directory_audits]
entity: user
why: >-
  With one switch a Global Administrator becomes User Access Administrator of every subscription: all machines, data and keys.
false_positives:
  - An administrator who looks for a lost subscription. It is done once in years, and taken back after.
what_to_do:
  - Ask the administrator, by another way than mail, and let them take it back.
  - If it was not them, disable the account, and look for role assignments in the activity log of Azure.
--- */
SELECT
  coalesce(nullif(initiated_by_user_id, ''), nullif(lower(initiated_by_user_user_principal_name), ''), 'unknown') AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  max(nullif(initiated_by_user_id, '')) AS user_id,
  max(nullif(initiated_by_user_user_principal_name, '')) AS user_principal_name,
  CASE WHEN min(nullif(initiated_by_user_ip_address, '')) = max(nullif(initiated_by_user_ip_address, ''))
    THEN max(nullif(initiated_by_user_ip_address, '')) END AS ip_address,
  coalesce(max(nullif(initiated_by_user_user_principal_name, '')), max(nullif(initiated_by_user_id, '')), 'Somebody')
    || ' became User Access Administrator of all Azure subscriptions' AS summary,
  json_format(CAST(slice(array_agg('directory_audits:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM directory_audits
WHERE dt = {{ day }}
  AND result = 'success'
  AND lower(activity_display_name) LIKE '%elevated their access to user access administrator%'
GROUP BY
  coalesce(nullif(initiated_by_user_id, ''), nullif(lower(initiated_by_user_user_principal_name), ''), 'unknown')
