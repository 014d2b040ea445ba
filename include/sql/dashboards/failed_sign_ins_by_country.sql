-- Failed sign-ins by country: where attempts come from that did not get in.
-- Interrupted sign-ins (a step on the way, no failure) are left out.
SELECT
  coalesce(country, 'unknown') AS country,
  count(*) AS failed_sign_ins,
  count(DISTINCT user_principal_name) AS users,
  count(DISTINCT ip_address) AS ip_addresses
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
  AND outcome = 'failure'
GROUP BY coalesce(country, 'unknown')
ORDER BY failed_sign_ins DESC, country
