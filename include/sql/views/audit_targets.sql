/* ---
description: "One row per directory audit and thing that it changed: user, group, role, application, policy, device."
streams: [directory_audits]
columns:
  event_time: [timestamp(3), "When the change happened, UTC."]
  id: [varchar, "Id of the audit."]
  correlation_id: [varchar, "Joins the records of one action."]
  activity_display_name: [varchar, "What was done, without blanks at its ends."]
  category: [varchar, "Kind of the thing that was changed, such as UserManagement."]
  operation_type: [varchar, "Kind of change, such as Add, Update, Assign, Delete."]
  logged_by_service: [varchar, "Service that wrote the record."]
  result: [varchar, "`success`, `failure` or `timeout`."]
  result_reason: [varchar, "Why it failed, or what exactly was done."]
  actor_type: [varchar, "`user` or `application`; NULL where Graph names nobody."]
  actor_id: [varchar, "Object id of the person, or of the application's service principal."]
  actor_name: [varchar, "Sign-in name of the person, or name of the application."]
  actor_ip_address: [varchar, "Address that the person acted from."]
  target_number: [bigint, "Place of the target in the audit's list, from 1."]
  target_type: [varchar, "User, Group, Role, Application, ServicePrincipal, Policy, Device, Directory, Other."]
  target_id: [varchar, "Object id of the target."]
  target_display_name: [varchar, "Name of the target."]
  target_user_principal_name: [varchar, "Sign-in name, where the target is a user."]
  modified_properties_json: [varchar, "The target's changed properties as JSON text."]
  tenant_id: [varchar, "The tenant whose log this is."]
  dt: [varchar, "The partition: UTC date of the event, `YYYY-MM-DD`."]
--- */
SELECT
  a.event_time,
  a.id,
  a.correlation_id,
  trim(a.activity_display_name) AS activity_display_name,
  a.category,
  a.operation_type,
  a.logged_by_service,
  a.result,
  nullif(a.result_reason, '') AS result_reason,
  CASE
    WHEN coalesce(nullif(a.initiated_by_user_id, ''), nullif(a.initiated_by_user_user_principal_name, '')) IS NOT NULL
      THEN 'user'
    WHEN coalesce(
      nullif(a.initiated_by_app_service_principal_id, ''), nullif(a.initiated_by_app_app_id, ''),
      nullif(a.initiated_by_app_display_name, '')
    ) IS NOT NULL THEN 'application'
  END AS actor_type,
  coalesce(
    nullif(a.initiated_by_user_id, ''), nullif(a.initiated_by_app_service_principal_id, ''),
    nullif(a.initiated_by_app_app_id, '')
  ) AS actor_id,
  coalesce(
    nullif(a.initiated_by_user_user_principal_name, ''), nullif(a.initiated_by_user_display_name, ''),
    nullif(a.initiated_by_app_display_name, ''), nullif(a.initiated_by_app_service_principal_name, '')
  ) AS actor_name,
  nullif(a.initiated_by_user_ip_address, '') AS actor_ip_address,
  t.target_number,
  json_extract_scalar(t.target, '$.type') AS target_type,
  nullif(json_extract_scalar(t.target, '$.id'), '') AS target_id,
  nullif(json_extract_scalar(t.target, '$.displayName'), '') AS target_display_name,
  nullif(json_extract_scalar(t.target, '$.userPrincipalName'), '') AS target_user_principal_name,
  json_format(json_extract(t.target, '$.modifiedProperties')) AS modified_properties_json,
  a.tenant_id,
  a.dt
FROM "{{ database }}".directory_audits AS a
CROSS JOIN UNNEST(
  TRY_CAST(json_extract(a.target_resources_json, '$') AS array(json))
) WITH ORDINALITY AS t (target, target_number)
