/* ---
id: account_under_attack
title: Passwords of one account tried from many addresses
severity: low
attack: [T1110.001]
streams: [sign_ins]
entity: user
why: >-
  Somebody wants this account, and changes the address so that none is blocked. It mostly fails; brute_force_succeeded tells
  when it does not.
parameters:
  min_failures:
    type: integer
    default: 20
    minimum: 1
    description: How many attempts must fail on one day, for a wrong password or a locked account.
  min_addresses:
    type: integer
    default: 5
    minimum: 1
    description: From how many addresses.
false_positives:
  - A phone with an old password that moves between networks.
what_to_do:
  - Make sure that the account has MFA and a long password, and that legacy authentication is blocked.
--- */
SELECT
  coalesce(user_id, lower(user_principal_name)) AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  max(user_id) AS user_id,
  max(user_principal_name) AS user_principal_name,
  CASE WHEN min(ip_address) = max(ip_address) THEN max(ip_address) END AS ip_address,
  CAST(count(*) AS varchar) || ' attempts to sign in as ' || coalesce(max(user_principal_name), max(user_id))
    || ' failed, from ' || CAST(count(DISTINCT ip_address) AS varchar) || ' addresses' AS summary,
  json_format(CAST(slice(array_agg('sign_ins:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM sign_in_outcomes
WHERE dt = {{ day }}
  AND error_code IN (50126, 50053, 50056)
  AND coalesce(user_id, user_principal_name) IS NOT NULL
GROUP BY coalesce(user_id, lower(user_principal_name))
HAVING count(*) >= {{ min_failures }}
  AND count(DISTINCT ip_address) >= {{ min_addresses }}
