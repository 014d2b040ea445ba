/* ---
id: spray_source_succeeded
title: Password guessed by a spraying address
severity: high
attack: [T1110.003, T1078.004]
streams: [sign_ins]
entity: user
why: >-
  An address that had tried passwords on many accounts got this one right. Even where MFA or a policy stopped it, the
  password is known.
look_back: 3
parameters:
  min_users:
    type: integer
    default: 10
    minimum: 2
    description: For how many accounts an address must have failed on one day, as in password_spray.
  trusted_networks:
    type: texts
    default: []
    description: How addresses of your own networks begin, such as `192.0.2.`; they are passed over.
false_positives:
  - A proxy or VPN whose users have trouble.
what_to_do:
  - Reset the password and revoke all sessions.
  - If the sign-in succeeded, look at what the account did since, its MFA methods and its inbox rules.
--- */
WITH attempts AS (
  SELECT
    id,
    event_time,
    dt,
    ip_address,
    coalesce(user_id, lower(user_principal_name)) AS account,
    user_id,
    user_principal_name,
    outcome = 'success' AS is_success,
    coalesce(error_code IN (50126, 50053, 50055, 50056, 50034), FALSE) AS is_wrong,
    -- The password was right, and something else was asked for or stood in the way.
    coalesce(error_code IN (
      0, 50055, 50072, 50074, 50076, 50079, 50097, 50105, 50125, 50140, 50144, 50158, 53000, 53001, 53002, 53003, 53004,
      65001, 500121, 530032
    ), FALSE) AS is_right
  FROM sign_in_outcomes
  WHERE dt BETWEEN {{ first_day }} AND {{ day }}
    AND ip_address IS NOT NULL
    AND coalesce(user_id, user_principal_name) IS NOT NULL
    AND none_match({{ trusted_networks }}, network -> starts_with(lower(ip_address), network))
),
sprays AS (
  SELECT ip_address, min(started) AS started
  FROM (
    SELECT ip_address, min(CASE WHEN is_wrong THEN event_time END) AS started
    FROM attempts
    GROUP BY ip_address, dt
    HAVING count(DISTINCT CASE WHEN is_wrong THEN account END) >= {{ min_users }}
      AND count(DISTINCT CASE WHEN is_success THEN account END) * 2 < count(DISTINCT CASE WHEN is_wrong THEN account END)
  ) AS days
  GROUP BY ip_address
)
SELECT
  a.account AS entity,
  min(a.event_time) AS first_event_time,
  max(a.event_time) AS last_event_time,
  count(*) AS event_count,
  max(a.user_id) AS user_id,
  max(a.user_principal_name) AS user_principal_name,
  CASE WHEN min(a.ip_address) = max(a.ip_address) THEN max(a.ip_address) END AS ip_address,
  CASE
    WHEN bool_or(a.is_success) THEN coalesce(max(a.user_principal_name), max(a.user_id)) || ' was signed in to from '
    ELSE 'The password of ' || coalesce(max(a.user_principal_name), max(a.user_id)) || ' is known to '
  END || array_join(array_agg(DISTINCT a.ip_address ORDER BY a.ip_address), ', ')
    || ', which had tried passwords on many accounts' AS summary,
  json_format(CAST(slice(array_agg('sign_ins:' || a.id ORDER BY a.event_time, a.id), 1, 20) AS json)) AS evidence_json
FROM attempts AS a
JOIN sprays AS s ON s.ip_address = a.ip_address
WHERE a.dt = {{ day }} AND a.is_right AND a.event_time >= s.started
GROUP BY a.account
