/* ---
id: disabled_account_sign_in
title: Disabled account tried at several applications
severity: medium
attack: [T1078.004]
streams: [sign_ins]
entity: user
why: >-
  Somebody goes from application to application with the account of a person who has left. They may have their password.
parameters:
  min_applications:
    type: integer
    default: 3
    minimum: 1
    description: At how many applications the account must be tried on one day.
false_positives:
  - A device of the person that goes on asking; it mostly asks for one application.
what_to_do:
  - Look at where it came from, and what else was tried from there.
  - Make sure that the account's sessions and application passwords are revoked, and that it owns no application.
--- */
SELECT
  coalesce(user_id, lower(user_principal_name)) AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  max(user_id) AS user_id,
  max(user_principal_name) AS user_principal_name,
  CASE WHEN min(ip_address) = max(ip_address) THEN max(ip_address) END AS ip_address,
  'The disabled account ' || coalesce(max(user_principal_name), max(user_id)) || ' was tried at '
    || array_join(
      array_agg(DISTINCT coalesce(app_display_name, app_id) ORDER BY coalesce(app_display_name, app_id)), ', '
    ) AS summary,
  json_format(CAST(slice(array_agg('sign_ins:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM sign_in_outcomes
WHERE dt = {{ day }}
  AND error_code = 50057
  AND coalesce(user_id, user_principal_name) IS NOT NULL
  AND coalesce(app_display_name, app_id) IS NOT NULL
GROUP BY coalesce(user_id, lower(user_principal_name))
HAVING count(DISTINCT coalesce(app_id, app_display_name)) >= {{ min_applications }}
