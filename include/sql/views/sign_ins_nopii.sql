/* ---
description: >-
  Sign-ins without names, addresses and places: pseudonyms stand for users, addresses and devices, the same ones in all
  `_nopii` views. A pseudonym hides a name from who reads; whoever knows the name can compute it.
streams: [sign_ins]
columns:
  event_time: [timestamp(3), "When the sign-in happened, UTC."]
  id: [varchar, "Id of the sign-in, to be looked up by somebody who may."]
  correlation_id: [varchar, "Joins the records of one attempt."]
  user_pseudonym: [varchar, "Stands for the user."]
  ip_pseudonym: [varchar, "Stands for the address that the sign-in came from."]
  device_pseudonym: [varchar, "Stands for a registered device; NULL where there is none."]
  outcome: [varchar, "`success`, `interrupted`, `failure`, or `unknown` where Graph gave no error code."]
  error_code: [integer, "0 is success; otherwise the AADSTS number."]
  reason: [varchar, "Why it did not succeed, in a few words that stay the same; NULL for rare codes and for successes."]
  country: [varchar, "Two-letter code, guessed from the address; NULL where unknown."]
  app_id: [varchar, "Client id of the application signed in to."]
  app_display_name: [varchar, "Name of the application signed in to."]
  resource_id: [varchar, "Id of the resource that the token is for."]
  resource_display_name: [varchar, "Name of the resource that the token is for."]
  client_app_used: [varchar, "Kind of client, as logged."]
  is_legacy_authentication: [boolean, "Whether the client's protocol cannot ask for a second factor."]
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
  tenant_id: [varchar, "The tenant whose log this is."]
  dt: [varchar, "The partition: UTC date of the event, `YYYY-MM-DD`."]
--- */
{% macro pseudonym(value) -%}
lower(substr(to_hex(sha256(to_utf8(tenant_id || ' ' || lower({{ value }})))), 1, 24))
{%- endmacro %}
SELECT
  event_time,
  id,
  correlation_id,
  {{ pseudonym("coalesce(user_id, user_principal_name)") }} AS user_pseudonym,
  {{ pseudonym("ip_address") }} AS ip_pseudonym,
  {{ pseudonym("device_id") }} AS device_pseudonym,
  outcome,
  error_code,
  reason,
  country,
  app_id,
  app_display_name,
  resource_id,
  resource_display_name,
  client_app_used,
  is_legacy_authentication,
  operating_system,
  browser,
  is_compliant,
  is_managed,
  trust_type,
  conditional_access_status,
  risk_level_during_sign_in,
  risk_level_aggregated,
  risk_state,
  risk_detail,
  risk_event_types,
  is_interactive,
  tenant_id,
  dt
FROM "{{ database }}".sign_in_outcomes
