-- Failed sign-ins by country: where attempts come from that did not get in.
-- Interrupted sign-ins (50058, 50140, ...: a step on the way, no failure) are left out.
SELECT
  coalesce(nullif(location_country_or_region, ''), 'unknown') AS country,
  count(*) AS failed_sign_ins,
  count(DISTINCT user_id) AS users,
  count(DISTINCT ip_address) AS ip_addresses
FROM "{{ database }}".sign_ins
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
  AND status_error_code NOT IN (
    0, 50055, 50058, 50059, 50072, 50074, 50125, 50127, 50129, 50140, 50143, 50144,
    51006, 52004, 65001, 16000, 16001, 16003, 81010, 81012, 81014
  )
GROUP BY coalesce(nullif(location_country_or_region, ''), 'unknown')
ORDER BY failed_sign_ins DESC, country
