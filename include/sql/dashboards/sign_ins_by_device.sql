-- Sign-ins by device and client: operating system, browser, and whether the device is managed and compliant.
SELECT
  coalesce(operating_system, 'unknown') AS operating_system,
  coalesce(browser, 'unknown') AS browser,
  coalesce(is_compliant, FALSE) AS is_compliant,
  coalesce(is_managed, FALSE) AS is_managed,
  count_if(outcome = 'success') AS successes,
  count_if(outcome = 'failure') AS failures,
  count(DISTINCT user_principal_name) AS users
FROM "{{ database }}".sign_in_outcomes
WHERE dt BETWEEN {{ first_day | text }} AND {{ last_day | text }}
{% if user is defined %}
  AND lower(user_principal_name) = lower({{ user | literal }})
{% endif %}
{% if application is defined %}
  AND app_display_name = {{ application | literal }}
{% endif %}
GROUP BY
  coalesce(operating_system, 'unknown'), coalesce(browser, 'unknown'),
  coalesce(is_compliant, FALSE), coalesce(is_managed, FALSE)
ORDER BY successes DESC, failures DESC, operating_system, browser
LIMIT 50
