/* ---
id: privileged_role_assigned
title: Privileged role assigned
severity: high
attack: [T1098.003]
streams: [directory_audits]
entity: user
why: >-
  Whoever holds such a role can give themselves everything else. Attackers assign one to an account of theirs, so that they
  stay when the stolen one is closed.
parameters:
  privileged_roles:
    type: texts
    default:
      - application administrator
      - authentication administrator
      - authentication policy administrator
      - cloud application administrator
      - conditional access administrator
      - directory synchronization accounts
      - directory writers
      - domain name administrator
      - exchange administrator
      - external identity provider administrator
      - global administrator
      - company administrator
      - groups administrator
      - helpdesk administrator
      - hybrid identity administrator
      - intune administrator
      - partner tier2 support
      - password administrator
      - privileged authentication administrator
      - privileged role administrator
      - security administrator
      - sharepoint administrator
      - user administrator
    description: Names of the roles.
  trusted_actors:
    type: texts
    default: []
    description: Sign-in names and applications that assign roles as their daily work.
false_positives:
  - A new administrator, or a change of duties. Activations in PIM are no findings; making somebody eligible is one.
what_to_do:
  - Ask whoever assigned it what for, by another way than mail.
  - If nobody knows of it, take the role away, disable the account, and follow what its giver did.
--- */
WITH assignments AS (
  SELECT
    t.id,
    min(t.event_time) AS event_time,
    max(t.actor_type) AS actor_type,
    max(t.actor_id) AS actor_id,
    max(t.actor_name) AS actor_name,
    max(t.actor_ip_address) AS actor_ip_address,
    max(CASE WHEN t.target_type IN ('User', 'ServicePrincipal', 'Group') THEN t.target_id END) AS member_id,
    max(
      CASE WHEN t.target_type IN ('User', 'ServicePrincipal', 'Group')
        THEN coalesce(t.target_user_principal_name, t.target_display_name) END
    ) AS member_name,
    replace(coalesce(
      max(r.role_name), max(CASE WHEN t.target_type = 'Role' THEN t.target_display_name END)
    ), '"', '') AS role_name
  FROM audit_targets AS t
  LEFT JOIN (
    SELECT id, max(new_value) AS role_name
    FROM audit_changes
    WHERE dt = {{ day }} AND property_name IN ('Role.DisplayName', 'RoleDefinition.DisplayName')
    GROUP BY id
  ) AS r ON r.id = t.id
  WHERE t.dt = {{ day }}
    AND t.result = 'success'
    AND (
      lower(t.activity_display_name) IN (
        'add member to role', 'add scoped member to role', 'add eligible member to role',
        'add member to role scoped over restricted management administrative unit',
        'add role assignment to role definition', 'add eligibleroleassignment to roledefinition'
      )
      OR lower(t.activity_display_name) LIKE 'add member to role in pim completed%'
      OR lower(t.activity_display_name) LIKE 'add eligible member to role in pim completed%'
      OR lower(t.activity_display_name) LIKE 'add member to role outside of pim%'
    )
    -- What PIM itself carries out stands in its own records; activations are daily work.
    AND NOT (t.actor_type = 'application' AND lower(t.actor_name) = 'ms-pim')
    AND NOT contains({{ trusted_actors }}, lower(coalesce(t.actor_name, '')))
  GROUP BY t.id
)
SELECT
  coalesce(member_id, member_name, 'unknown') AS entity,
  min(event_time) AS first_event_time,
  max(event_time) AS last_event_time,
  count(*) AS event_count,
  CASE WHEN min(actor_id) = max(actor_id) AND max(actor_type) = 'user' THEN max(actor_id) END AS user_id,
  CASE WHEN min(actor_name) = max(actor_name) AND max(actor_type) = 'user' THEN max(actor_name) END
    AS user_principal_name,
  CASE WHEN min(actor_ip_address) = max(actor_ip_address) THEN max(actor_ip_address) END AS ip_address,
  coalesce(array_join(array_agg(DISTINCT actor_name ORDER BY actor_name) FILTER (WHERE actor_name IS NOT NULL), ', '), 'Somebody') || ' gave '
    || coalesce(max(member_name), max(member_id), 'somebody') || ' the role '
    || array_join(array_agg(DISTINCT role_name ORDER BY role_name), ', ') AS summary,
  json_format(CAST(slice(array_agg('directory_audits:' || id ORDER BY event_time, id), 1, 20) AS json)) AS evidence_json
FROM assignments
WHERE contains({{ privileged_roles }}, lower(role_name))
GROUP BY coalesce(member_id, member_name, 'unknown')
