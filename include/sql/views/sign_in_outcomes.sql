/* ---
description: >-
  Each sign-in with how it ended: success, interrupted (a step on the way, such as a consent prompt) or failure, and why.
streams: [sign_ins]
columns:
  event_time: [timestamp(3), "When the sign-in happened, UTC."]
  id: [varchar, "Id of the sign-in, which is also its request id."]
  correlation_id: [varchar, "Joins the records of one attempt."]
  user_id: [varchar, "Object id of the user."]
  user_principal_name: [varchar, "Sign-in name as logged; a GUID at times, NULL where Graph left it empty."]
  user_display_name: [varchar, "The user's name as shown at that moment."]
  outcome: [varchar, "`success`, `interrupted`, `failure`, or `unknown` where Graph gave no error code."]
  error_code: [integer, "0 is success; otherwise the AADSTS number."]
  reason: [varchar, "Why it did not succeed, in a few words that stay the same; NULL for rare codes and for successes."]
  failure_reason: [varchar, "Why it did not succeed, in Microsoft's words; NULL for successes."]
  additional_details: [varchar, "More on how it ended, such as how MFA was satisfied."]
  ip_address: [varchar, "Address that the sign-in came from; Graph may mask its last part."]
  country: [varchar, "Two-letter code, guessed from the address; NULL where unknown."]
  state: [varchar, "State or province, guessed from the address."]
  city: [varchar, "City, guessed from the address."]
  latitude: [double, "Latitude in degrees."]
  longitude: [double, "Longitude in degrees."]
  app_id: [varchar, "Client id of the application signed in to."]
  app_display_name: [varchar, "Name of the application signed in to."]
  resource_id: [varchar, "Id of the resource that the token is for."]
  resource_display_name: [varchar, "Name of the resource that the token is for."]
  client_app_used: [varchar, "Kind of client, as logged."]
  is_legacy_authentication: [boolean, "Whether the client's protocol cannot ask for a second factor."]
  user_agent: [varchar, "What the client says it is; written by the client, so never trust it."]
  device_id: [varchar, "Id of a registered device; NULL where there is none."]
  device_name: [varchar, "Name of a registered device."]
  operating_system: [varchar, "Operating system."]
  browser: [varchar, "Browser and its version."]
  is_compliant: [boolean, "Whether the device meets the tenant's compliance policies."]
  is_managed: [boolean, "Whether the device is managed."]
  trust_type: [varchar, "How the device is joined to the directory."]
  conditional_access_status: [varchar, "What all Conditional Access policies together decided."]
  risk_level_during_sign_in: [varchar, "Risk as it was judged at the sign-in; filled with a P2 licence."]
  risk_level_aggregated: [varchar, "Risk as it is judged all in all; may change for weeks."]
  risk_state: [varchar, "Where the risk stands."]
  risk_detail: [varchar, "Why the risk stands there."]
  risk_event_types: [array(varchar), "Kinds of risk."]
  is_interactive: [boolean, "Whether a person was asked for something."]
  home_tenant_id: [varchar, "Tenant that the user belongs to."]
  resource_tenant_id: [varchar, "Tenant that owns the resource."]
  tenant_id: [varchar, "The tenant whose log this is."]
  dt: [varchar, "The partition: UTC date of the event, `YYYY-MM-DD`."]
--- */
-- The codes of interrupted sign-ins are those of Microsoft's own sign-in workbook.
SELECT
  event_time,
  id,
  correlation_id,
  nullif(user_id, '') AS user_id,
  nullif(user_principal_name, '') AS user_principal_name,
  nullif(user_display_name, '') AS user_display_name,
  CASE
    WHEN status_error_code IS NULL THEN 'unknown'
    WHEN status_error_code = 0 THEN 'success'
    WHEN status_error_code IN (
      16000, 16001, 16003, 50055, 50058, 50059, 50072, 50074, 50125, 50127, 50129, 50140, 50143, 50144,
      51006, 52004, 65001, 81010, 81012, 81014
    ) THEN 'interrupted'
    ELSE 'failure'
  END AS outcome,
  status_error_code AS error_code,
  CASE status_error_code
    WHEN 50020 THEN 'user of another directory'
    WHEN 50034 THEN 'no such user'
    WHEN 50053 THEN 'locked out or malicious address'
    WHEN 50055 THEN 'password expired'
    WHEN 50056 THEN 'no password set'
    WHEN 50057 THEN 'account disabled'
    WHEN 50058 THEN 'no session for silent sign-in'
    WHEN 50072 THEN 'MFA registration required'
    WHEN 50074 THEN 'MFA required'
    WHEN 50076 THEN 'MFA required'
    WHEN 50079 THEN 'MFA registration required'
    WHEN 50097 THEN 'device authentication required'
    WHEN 50105 THEN 'not assigned to the application'
    WHEN 50125 THEN 'password reset on the way'
    WHEN 50126 THEN 'wrong user name or password'
    WHEN 50140 THEN 'asked to stay signed in'
    WHEN 50144 THEN 'password expired'
    WHEN 50158 THEN 'external challenge required'
    WHEN 50173 THEN 'session revoked'
    WHEN 53000 THEN 'device not compliant'
    WHEN 53001 THEN 'device not joined'
    WHEN 53002 THEN 'application not approved'
    WHEN 53003 THEN 'blocked by Conditional Access'
    WHEN 53004 THEN 'MFA registration blocked by risk'
    WHEN 65001 THEN 'consent required'
    WHEN 65004 THEN 'consent declined'
    WHEN 70044 THEN 'session expired'
    WHEN 90072 THEN 'user of another directory'
    WHEN 500121 THEN 'MFA failed'
    WHEN 500133 THEN 'session expired'
    WHEN 530032 THEN 'blocked by risk'
    WHEN 700016 THEN 'no such application'
  END AS reason,
  CASE WHEN status_error_code <> 0 THEN nullif(status_failure_reason, '') END AS failure_reason,
  nullif(status_additional_details, '') AS additional_details,
  nullif(ip_address, '') AS ip_address,
  nullif(location_country_or_region, '') AS country,
  nullif(location_state, '') AS state,
  nullif(location_city, '') AS city,
  location_geo_coordinates_latitude AS latitude,
  location_geo_coordinates_longitude AS longitude,
  nullif(app_id, '') AS app_id,
  nullif(app_display_name, '') AS app_display_name,
  nullif(resource_id, '') AS resource_id,
  nullif(resource_display_name, '') AS resource_display_name,
  nullif(client_app_used, '') AS client_app_used,
  coalesce(
    lower(client_app_used) IN (
      'authenticated smtp', 'autodiscover', 'exchange activesync', 'exchange online powershell',
      'exchange web services', 'imap', 'imap4', 'mapi', 'mapi over http', 'offline address book',
      'outlook anywhere (rpc over http)', 'outlook service', 'pop', 'pop3', 'reporting web services', 'smtp'
    )
    OR lower(client_app_used) LIKE 'other clients%',
    FALSE
  ) AS is_legacy_authentication,
  nullif(user_agent, '') AS user_agent,
  nullif(device_detail_device_id, '') AS device_id,
  nullif(device_detail_display_name, '') AS device_name,
  nullif(device_detail_operating_system, '') AS operating_system,
  nullif(device_detail_browser, '') AS browser,
  device_detail_is_compliant AS is_compliant,
  device_detail_is_managed AS is_managed,
  nullif(device_detail_trust_type, '') AS trust_type,
  conditional_access_status,
  risk_level_during_sign_in,
  risk_level_aggregated,
  risk_state,
  risk_detail,
  risk_event_types_v2 AS risk_event_types,
  is_interactive,
  nullif(home_tenant_id, '') AS home_tenant_id,
  nullif(resource_tenant_id, '') AS resource_tenant_id,
  tenant_id,
  dt
FROM "{{ database }}".sign_ins
