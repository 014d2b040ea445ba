/* ---
id: impossible_travel
title: Impossible travel
severity: medium
attack: [T1078.004]
streams: [sign_ins]
entity: user
why: >-
  Two sign-ins lie further apart than anybody can fly in the time between: two people use one account.
look_back: 7
needs_history: 7
parameters:
  max_speed_kmh:
    type: integer
    default: 1000
    minimum: 100
    description: Faster than so many kilometres per hour is impossible.
  min_distance_km:
    type: integer
    default: 500
    minimum: 50
    description: Shorter distances are passed over, as places are guessed from addresses.
  trusted_networks:
    type: texts
    default: []
    description: How addresses of your own networks and VPN begin, such as `192.0.2.`; they are passed over.
false_positives:
  - A VPN, or a phone whose provider is elsewhere. Addresses next to ones that the account had used in the week before are
    passed over.
what_to_do:
  - Ask the user where they were. Do the devices fit?
  - If one place is not theirs, reset the password, revoke all sessions, and look at what came from there.
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
    -- An address without its last part: 192.0.2., 2001:db8:47:.
    regexp_extract(ip_address, '^(.*[.:])', 1) AS network,
    coalesce(city, country, 'somewhere') AS place,
    latitude,
    longitude
  FROM sign_in_outcomes
  WHERE dt BETWEEN {{ first_day }} AND {{ day }}
    AND outcome = 'success'
    AND latitude BETWEEN -90 AND 90
    AND longitude BETWEEN -180 AND 180
    AND ip_address IS NOT NULL
    AND coalesce(user_id, user_principal_name) IS NOT NULL
    AND none_match({{ trusted_networks }}, network -> starts_with(lower(ip_address), network))
),
legs AS (
  SELECT
    *,
    lag(id) OVER (PARTITION BY account ORDER BY event_time, id) AS previous_id,
    lag(event_time) OVER (PARTITION BY account ORDER BY event_time, id) AS previous_time,
    lag(place) OVER (PARTITION BY account ORDER BY event_time, id) AS previous_place,
    lag(network) OVER (PARTITION BY account ORDER BY event_time, id) AS previous_network,
    lag(latitude) OVER (PARTITION BY account ORDER BY event_time, id) AS previous_latitude,
    lag(longitude) OVER (PARTITION BY account ORDER BY event_time, id) AS previous_longitude
  FROM sign_ins_made
),
known AS (
  SELECT account, network, min(dt) AS first_dt FROM sign_ins_made GROUP BY account, network
),
impossible AS (
  SELECT
    l.*,
    great_circle_distance(l.previous_latitude, l.previous_longitude, l.latitude, l.longitude) AS km
  FROM legs AS l
  JOIN known AS k ON k.account = l.account AND k.network = l.network
  JOIN known AS p ON p.account = l.account AND p.network = l.previous_network
  WHERE l.dt = {{ day }}
    -- One of the two ends is new on the day; both being old is a user with two homes or a VPN.
    AND (k.first_dt = {{ day }} OR p.first_dt = {{ day }})
    AND great_circle_distance(l.previous_latitude, l.previous_longitude, l.latitude, l.longitude) >= {{ min_distance_km }}
    AND great_circle_distance(l.previous_latitude, l.previous_longitude, l.latitude, l.longitude)
      > {{ max_speed_kmh }} * date_diff('millisecond', l.previous_time, l.event_time) / 3600000.0
)
SELECT
  account AS entity,
  min(previous_time) AS first_event_time,
  max(event_time) AS last_event_time,
  cardinality(array_distinct(array_agg(previous_id) || array_agg(id))) AS event_count,
  max(user_id) AS user_id,
  max(user_principal_name) AS user_principal_name,
  CASE WHEN min(ip_address) = max(ip_address) THEN max(ip_address) END AS ip_address,
  coalesce(max(user_principal_name), max(user_id)) || ' signed in from ' || min_by(previous_place, event_time)
    || ', then from ' || min_by(place, event_time) || ': '
    || CAST(CAST(round(min_by(km, event_time)) AS bigint) AS varchar) || ' km in '
    || CAST(date_diff('minute', min(previous_time), min(event_time)) AS varchar) || ' minutes' AS summary,
  json_format(CAST(slice(array_sort(array_distinct(
    array_agg('sign_ins:' || previous_id) || array_agg('sign_ins:' || id)
  )), 1, 20) AS json)) AS evidence_json
FROM impossible
GROUP BY account
