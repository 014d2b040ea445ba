/* ---
id: admin_sign_in_without_mfa
title: Sign-in to an administration tool without MFA
severity: low
attack: [T1078.004]
streams: [sign_ins]
entity: user
why: >-
  No policy applied and nothing tells of MFA: for the tools that change the tenant, a password is enough.
parameters:
  administration_tools:
    type: texts
    default:
      - 04b07795-8ddb-461a-bbee-02f9e1bf7b46
      - 14d82eec-204b-4c2f-b7e8-296a70dab67e
      - 1950a258-227b-4e31-a9cf-717495945fc2
      - 1b730954-1685-4b74-9bfd-dac224a7b894
      - 00000006-0000-0ff1-ce00-000000000000
      - c44b4083-3bb0-49c1-b47d-974e53cbdf3c
      - fb78d390-0c51-40cd-8e17-fdbfab77341b
    description: >-
      Client ids: Azure CLI, Graph PowerShell, Azure PowerShell, Azure AD PowerShell, Microsoft 365 admin portal, Azure portal,
      Exchange Online PowerShell.
  trusted_networks:
    type: texts
    default: []
    description: How addresses of your own networks begin, such as `192.0.2.`; they are passed over.
false_positives:
  - An MFA of another provider, which Entra does not see. Graph v1.0 does not tell how a user was authenticated.
what_to_do:
  - Ask for MFA at these applications by Conditional Access, or switch the security defaults on.
--- */
SELECT
  coalesce(user_id, lower(user_principal_name)) AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  max(user_id) AS user_id,
  max(user_principal_name) AS user_principal_name,
  CASE WHEN min(ip_address) = max(ip_address) THEN max(ip_address) END AS ip_address,
  coalesce(max(user_principal_name), max(user_id)) || ' signed in without MFA to '
    || array_join(array_agg(DISTINCT coalesce(app_display_name, app_id) ORDER BY coalesce(app_display_name, app_id)), ', ')
    AS summary,
  json_format(CAST(slice(array_agg('sign_ins:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM sign_in_outcomes
WHERE dt = {{ day }}
  AND outcome = 'success'
  AND conditional_access_status = 'notApplied'
  AND contains({{ administration_tools }}, lower(app_id))
  AND lower(coalesce(additional_details, '')) NOT LIKE '%mfa%'
  AND coalesce(user_id, user_principal_name) IS NOT NULL
  AND none_match({{ trusted_networks }}, network -> starts_with(lower(coalesce(ip_address, '')), network))
GROUP BY coalesce(user_id, lower(user_principal_name))
