/* ---
description: "One row per property that a directory audit changed, with its old and new value out of their quotes."
streams: [directory_audits]
columns:
  event_time: [timestamp(3), "When the change happened, UTC."]
  id: [varchar, "Id of the audit."]
  correlation_id: [varchar, "Joins the records of one action."]
  activity_display_name: [varchar, "What was done, without blanks at its ends."]
  category: [varchar, "Kind of the thing that was changed, such as UserManagement."]
  result: [varchar, "`success`, `failure` or `timeout`."]
  actor_type: [varchar, "`user` or `application`; NULL where Graph names nobody."]
  actor_id: [varchar, "Object id of the person, or of the application's service principal."]
  actor_name: [varchar, "Sign-in name of the person, or name of the application."]
  actor_ip_address: [varchar, "Address that the person acted from."]
  target_number: [bigint, "Place of the target in the audit's list, from 1."]
  target_type: [varchar, "User, Group, Role, Application, ServicePrincipal, Policy, Device, Directory, Other."]
  target_id: [varchar, "Object id of the target."]
  target_display_name: [varchar, "Name of the target."]
  target_user_principal_name: [varchar, "Sign-in name, where the target is a user."]
  property_number: [bigint, "Place of the property in the target's list, from 1."]
  property_name: [varchar, "Name of the property, such as `Role.DisplayName`."]
  old_value: [varchar, "What it was: a text without its quotes, the one item of a list, else JSON; NULL where nothing."]
  new_value: [varchar, "What it became, in the same form."]
  old_value_json: [varchar, "What it was, exactly as Graph wrote it."]
  new_value_json: [varchar, "What it became, exactly as Graph wrote it."]
  tenant_id: [varchar, "The tenant whose log this is."]
  dt: [varchar, "The partition: UTC date of the event, `YYYY-MM-DD`."]
--- */
-- Graph writes values as JSON inside strings: "\"Gardener\"", "[\"Gardener\"]", "[]", "null".
SELECT
  t.event_time,
  t.id,
  t.correlation_id,
  t.activity_display_name,
  t.category,
  t.result,
  t.actor_type,
  t.actor_id,
  t.actor_name,
  t.actor_ip_address,
  t.target_number,
  t.target_type,
  t.target_id,
  t.target_display_name,
  t.target_user_principal_name,
  p.property_number,
  json_extract_scalar(p.property, '$.displayName') AS property_name,
{% for side in ("old", "new") %}
  CASE
    WHEN json_extract_scalar(p.property, '$.{{ side }}Value') IN ('', '""', '[]', 'null') THEN NULL
    WHEN json_array_length(json_extract_scalar(p.property, '$.{{ side }}Value')) = 1
      THEN coalesce(
        json_extract_scalar(json_extract_scalar(p.property, '$.{{ side }}Value'), '$[0]'),
        json_extract_scalar(p.property, '$.{{ side }}Value')
      )
    ELSE coalesce(
      json_extract_scalar(json_extract_scalar(p.property, '$.{{ side }}Value'), '$'),
      json_extract_scalar(p.property, '$.{{ side }}Value')
    )
  END AS {{ side }}_value,
{% endfor %}
  json_extract_scalar(p.property, '$.oldValue') AS old_value_json,
  json_extract_scalar(p.property, '$.newValue') AS new_value_json,
  t.tenant_id,
  t.dt
FROM "{{ database }}".audit_targets AS t
CROSS JOIN UNNEST(
  TRY_CAST(json_extract(t.modified_properties_json, '$') AS array(json))
) WITH ORDINALITY AS p (property, property_number)
