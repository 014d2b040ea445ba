/* ---
id: application_permission_granted
title: Powerful permission granted to an application
severity: high
attack: [T1098.003]
streams: [directory_audits]
entity: application
why: >-
  With these permissions an application reads every mailbox, or makes itself administrator, with no user present.
parameters:
  powerful_permissions:
    type: texts
    default:
      - application.readwrite.all
      - approleassignment.readwrite.all
      - delegatedpermissiongrant.readwrite.all
      - device.readwrite.all
      - directory.readwrite.all
      - domain.readwrite.all
      - exchange.manageasapp
      - files.read.all
      - files.readwrite.all
      - full_access_as_app
      - group.readwrite.all
      - groupmember.readwrite.all
      - mail.read
      - mail.readwrite
      - mail.send
      - mailboxsettings.readwrite
      - policy.readwrite.authenticationmethod
      - policy.readwrite.conditionalaccess
      - privilegedaccess.readwrite.azureadgroup
      - roleassignmentschedule.readwrite.directory
      - roleeligibilityschedule.readwrite.directory
      - rolemanagement.readwrite.directory
      - sites.fullcontrol.all
      - sites.readwrite.all
      - user.readwrite.all
      - userauthenticationmethod.readwrite.all
    description: Names of application permissions.
  trusted_applications:
    type: texts
    default: []
    description: Object ids of applications (service principals) that may have them. Names would be easy to imitate.
false_positives:
  - Backup, migration or security software that you are setting up.
what_to_do:
  - Ask the administrator who granted it what for. Is so much needed?
  - If nobody knows of it, disable the application, remove the permission, and look at what the application did since.
--- */
WITH grants AS (
  SELECT
    c.id,
    min(c.event_time) AS event_time,
    max(c.actor_type) AS actor_type,
    max(c.actor_id) AS actor_id,
    max(c.actor_name) AS actor_name,
    max(c.actor_ip_address) AS actor_ip_address,
    max(CASE WHEN c.property_name = 'AppRole.Value' THEN c.new_value END) AS permission,
    max(CASE WHEN c.property_name = 'ServicePrincipal.ObjectID' THEN c.new_value END) AS application_id,
    max(CASE WHEN c.property_name IN ('ServicePrincipal.DisplayName', 'ServicePrincipal.Name') THEN c.new_value END)
      AS application_name,
    max(c.target_display_name) AS resource_name
  FROM audit_changes AS c
  WHERE c.dt = {{ day }}
    AND c.result = 'success'
    AND lower(c.activity_display_name) = 'add app role assignment to service principal'
  GROUP BY c.id
)
SELECT
  coalesce(application_id, application_name, 'unknown') AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  CASE WHEN min(actor_id) = max(actor_id) AND max(actor_type) = 'user' THEN max(actor_id) END AS user_id,
  CASE WHEN min(actor_name) = max(actor_name) AND max(actor_type) = 'user' THEN max(actor_name) END
    AS user_principal_name,
  CASE WHEN min(actor_ip_address) = max(actor_ip_address) THEN max(actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT actor_name ORDER BY actor_name) FILTER (WHERE actor_name IS NOT NULL), ', '),
    'Somebody') || ' let the application ' || coalesce(max(application_name), max(application_id), 'without a name')
    || ' use ' || array_join(array_agg(DISTINCT permission ORDER BY permission), ', ')
    || coalesce(' of ' || max(resource_name), '') AS summary,
  json_format(CAST(slice(array_agg('directory_audits:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM grants
WHERE contains({{ powerful_permissions }}, lower(permission))
  AND NOT contains({{ trusted_applications }}, lower(coalesce(application_id, '')))
GROUP BY coalesce(application_id, application_name, 'unknown')
