/* ---
id: conditional_access_blocked
title: Conditional Access blocks somebody who knows the password
severity: medium
attack: [T1078.004]
streams: [sign_ins]
entity: user
why: >-
  Policies are weighed after the password was right. Whoever is blocked again and again from an address that is not the user's
  has the password, and looks for a gap in the policies.
look_back: 7
parameters:
  min_blocked:
    type: integer
    default: 5
    minimum: 1
    description: How often the user must be blocked on one day.
  trusted_networks:
    type: texts
    default: []
    description: How addresses of your own networks begin, such as `192.0.2.`; they are passed over.
false_positives:
  - A new policy, or a journey to a country that is blocked. Addresses from which the user signed in during the week before do
    not count.
what_to_do:
  - Ask the user. If it was not them, reset the password.
  - Look at whether the same address got in elsewhere.
--- */
WITH attempts AS (
  SELECT
    id,
    event_time,
    dt,
    coalesce(user_id, lower(user_principal_name)) AS account,
    user_id,
    user_principal_name,
    ip_address,
    country,
    outcome = 'success' AS is_success
  FROM sign_in_outcomes
  WHERE dt BETWEEN {{ first_day }} AND {{ day }}
    AND (outcome = 'success' OR error_code = 53003)
    AND coalesce(user_id, user_principal_name) IS NOT NULL
    AND none_match({{ trusted_networks }}, network -> starts_with(lower(coalesce(ip_address, '')), network))
),
known AS (
  SELECT DISTINCT account, ip_address FROM attempts WHERE is_success AND ip_address IS NOT NULL
)
SELECT
  a.account AS entity,
  min(a.event_time) AS first_event_time,
  max(a.event_time) AS last_event_time,
  count(*) AS event_count,
  max(a.user_id) AS user_id,
  max(a.user_principal_name) AS user_principal_name,
  CASE WHEN min(a.ip_address) = max(a.ip_address) THEN max(a.ip_address) END AS ip_address,
  'Conditional Access blocked ' || coalesce(max(a.user_principal_name), max(a.user_id)) || ' '
    || CAST(count(*) AS varchar) || ' times'
    || coalesce(' (' || nullif(array_join(
      array_agg(DISTINCT a.country ORDER BY a.country) FILTER (WHERE a.country IS NOT NULL), ', '), '') || ')', '')
    AS summary,
  json_format(CAST(slice(array_agg('sign_ins:' || a.id ORDER BY a.event_time, a.id), 1, 20) AS json)) AS evidence_json
FROM attempts AS a
LEFT JOIN known AS k ON k.account = a.account AND k.ip_address = a.ip_address
WHERE a.dt = {{ day }} AND NOT a.is_success AND k.account IS NULL
GROUP BY a.account
HAVING count(*) >= {{ min_blocked }}
