/* ---
description: >-
  Changes in the directory without names, addresses and values: pseudonyms stand for who acted, from where, and for what
  was changed; those of users are the same in all `_nopii` views.
streams: [directory_audits]
columns:
  event_time: [timestamp(3), "When it happened, UTC."]
  id: [varchar, "Id of the record, to be looked up by somebody who may."]
  correlation_id: [varchar, "Joins the records of one action."]
  activity: [varchar, "What was done."]
  category: [varchar, "Kind of the thing that was changed, such as UserManagement."]
  operation_type: [varchar, "Kind of change, such as Add, Update, Assign, Delete."]
  logged_by_service: [varchar, "Service that wrote the record."]
  result: [varchar, "How it ended."]
  user_pseudonym: [varchar, "Stands for the person who acted; NULL where an application did."]
  user_type: [varchar, "Whether the person is a member or a guest, where Graph says so."]
  ip_pseudonym: [varchar, "Stands for the address that the person acted from."]
  app_id: [varchar, "Client id of the application that acted."]
  service_principal_id: [varchar, "Object id of its service principal."]
  target_pseudonyms: [array(varchar), "Stand for what was changed."]
  modified_property_names: [array(varchar), "Names of the changed properties, without their values."]
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
  trim(activity_display_name) AS activity,
  category,
  operation_type,
  logged_by_service,
  result,
  {{ pseudonym("coalesce(nullif(initiated_by_user_id, ''), nullif(initiated_by_user_user_principal_name, ''))") }}
    AS user_pseudonym,
  initiated_by_user_user_type AS user_type,
  {{ pseudonym("nullif(initiated_by_user_ip_address, '')") }} AS ip_pseudonym,
  initiated_by_app_app_id AS app_id,
  initiated_by_app_service_principal_id AS service_principal_id,
  transform(target_resource_ids, target -> {{ pseudonym("target") }}) AS target_pseudonyms,
  modified_property_names,
  tenant_id,
  dt
FROM "{{ database }}".directory_audits
