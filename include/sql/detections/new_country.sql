/* ---
id: new_country
title: First sign-in from a country
severity: medium
attack: [T1078.004]
streams: [sign_ins]
entity: user
why: >-
  A stolen password is mostly used from elsewhere. Where this account has not been for a month, look who it is.
look_back: 30
needs_history: 14
parameters:
  expected_countries:
    type: texts
    default: []
    description: Two-letter codes of countries where your people often are; they are passed over.
  trusted_networks:
    type: texts
    default: []
    description: How addresses of your own networks begin, such as `192.0.2.`; they are passed over.
false_positives:
  - A journey, or a VPN. Accounts without a sign-in in the month before count only where the whole tenant has not been.
what_to_do:
  - Ask the user whether they are there. Does the device fit?
  - If not, reset the password, revoke all sessions, and look at what the account did since.
--- */
WITH successes AS (
  SELECT
    id,
    event_time,
    dt,
    user_id,
    user_principal_name,
    ip_address,
    country,
    coalesce(city, '') AS city
  FROM sign_in_outcomes
  WHERE dt BETWEEN {{ first_day }} AND {{ day }}
    AND outcome = 'success'
    AND coalesce(user_id, user_principal_name) IS NOT NULL
),
-- A record without the user's id is of the account that has the name.
names AS (
  SELECT lower(user_principal_name) AS name, max(user_id) AS user_id
  FROM successes
  WHERE user_id IS NOT NULL AND user_principal_name IS NOT NULL
  GROUP BY lower(user_principal_name)
),
by_account AS (
  SELECT s.*, coalesce(s.user_id, n.user_id, lower(s.user_principal_name)) AS account
  FROM successes AS s
  LEFT JOIN names AS n ON n.name = lower(s.user_principal_name)
),
sign_ins_made AS (
  SELECT *
  FROM by_account
  WHERE country IS NOT NULL
    AND NOT contains({{ expected_countries }}, lower(country))
    AND none_match({{ trusted_networks }}, network -> starts_with(lower(coalesce(ip_address, '')), network))
),
seen_accounts AS (
  SELECT DISTINCT account FROM by_account WHERE dt < {{ day }}
),
seen_by_account AS (
  SELECT DISTINCT account, country FROM sign_ins_made WHERE dt < {{ day }}
),
seen_by_anybody AS (
  SELECT DISTINCT country FROM sign_ins_made WHERE dt < {{ day }}
)
SELECT
  m.account AS entity,
  min(m.event_time) AS first_event_time,
  max(m.event_time) AS last_event_time,
  count(*) AS event_count,
  max(m.user_id) AS user_id,
  max(m.user_principal_name) AS user_principal_name,
  CASE WHEN min(m.ip_address) = max(m.ip_address) THEN max(m.ip_address) END AS ip_address,
  coalesce(max(m.user_principal_name), max(m.user_id)) || ' signed in from '
    || array_join(array_agg(DISTINCT m.country ORDER BY m.country), ', ')
    || ' for the first time in 30 days' || coalesce(' (' || nullif(max(m.city), '') || ')', '') AS summary,
  json_format(CAST(slice(array_agg('sign_ins:' || m.id ORDER BY m.event_time, m.id), 1, 20) AS json)) AS evidence_json
FROM sign_ins_made AS m
LEFT JOIN seen_accounts AS s ON s.account = m.account
LEFT JOIN seen_by_account AS c ON c.account = m.account AND c.country = m.country
LEFT JOIN seen_by_anybody AS t ON t.country = m.country
WHERE m.dt = {{ day }}
  AND c.account IS NULL
  AND (s.account IS NOT NULL OR t.country IS NULL)
GROUP BY m.account
